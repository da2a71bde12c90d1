#include "backup/verify_sample.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace bkp {
namespace {

struct Turn {
  TimePoint last_check;
  std::size_t backup;  // its place in the list
};

// Something is to be there; what could not be written is no copy.
bool is_expected(const CopyRecord& copy) {
  return copy.state == CopyState::good || copy.state == CopyState::missing ||
         copy.state == CopyState::damaged;
}

std::vector<Turn> turns_in(const std::string& storage, const std::vector<BackupRecord>& backups) {
  std::vector<Turn> turns;
  for (std::size_t i = 0; i < backups.size(); ++i)
    for (const CopyRecord& copy : backups[i].copies)
      if (copy.storage == storage && is_expected(copy))
        turns.push_back({copy.checked_at.value_or(TimePoint::min()), i});
  std::stable_sort(turns.begin(), turns.end(),
                   [](const Turn& a, const Turn& b) { return a.last_check < b.last_check; });
  return turns;
}

}  // namespace

std::vector<SampledBackup> sample_for_verify(const std::vector<BackupRecord>& backups,
                                             const std::vector<std::string>& storages,
                                             double percent, std::size_t limit) {
  std::map<std::size_t, std::vector<std::string>> chosen;
  for (const std::string& storage : storages) {
    std::vector<Turn> turns = turns_in(storage, backups);
    const auto wanted =
        static_cast<std::size_t>(std::ceil(static_cast<double>(turns.size()) * percent / 100));
    turns.resize(std::min({std::max<std::size_t>(wanted, 1), limit, turns.size()}));
    for (const Turn& turn : turns) chosen[turn.backup].push_back(storage);
  }
  std::vector<SampledBackup> sample;
  for (auto& [place, names] : chosen) sample.push_back({backups[place], std::move(names)});
  return sample;
}

}  // namespace bkp
