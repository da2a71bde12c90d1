#include "recovery/proof_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace bkp {
namespace {

constexpr const char* kUnknown = "the backup does not say whether the source had it too";

// The findings of one check, and a last word when there were none that matter.
class Judge {
 public:
  Judge(const char* check, ProofFindings& findings)
      : check_(check), findings_(findings), before_(findings.size()) {}

  void fail(const std::string& object, const std::string& text) {
    findings_.push_back({ProofLevel::failed, check_, object, text});
  }
  void warn(const std::string& object, const std::string& text) {
    findings_.push_back({ProofLevel::warning, check_, object, text});
  }
  void well(const std::string& text) {
    if (findings_.size() == before_) findings_.push_back({ProofLevel::ok, check_, "", text});
  }
  // What of this part could not be read, at the source or here.
  void tell_unread(const std::optional<Soundness>& source, const Soundness& found,
                   std::string_view part) {
    for (const std::string& each : found.unread)
      if (each.starts_with(part)) fail("", "could not be read: " + each);
    if (!source) return;
    for (const std::string& each : source->unread)
      if (each.starts_with(part)) warn("", "could not be read at the source: " + each);
  }

 private:
  const char* check_;
  ProofFindings& findings_;
  std::size_t before_;
};

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool unread(const Soundness& soundness, std::string_view part) {
  return std::any_of(soundness.unread.begin(), soundness.unread.end(),
                     [part](const std::string& each) { return each.starts_with(part); });
}

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

void judge_rows(const Comparison& comparison, std::size_t tables, const Coverage& coverage,
                ProofFindings& findings) {
  Judge judge("rows", findings);
  for (const Difference& difference : comparison.differences)
    judge.fail(difference.object, difference.text);
  judge.well(fmt::format(
      "{}, {}: {}{}", plural(tables, "table", "tables"), plural(comparison.rows, "row", "rows"),
      coverage.digests ? "every one as it was dumped"
                       : "as many as were dumped, which took no digests",
      coverage.left_out.empty() ? "" : fmt::format(" (the dump left out {})", coverage.left_out)));
}

void judge_objects(const std::optional<Soundness>& source, const Soundness& found,
                   const Coverage& coverage, ProofFindings& findings) {
  Judge judge("objects", findings);
  judge.tell_unread(source, found, "census");
  if (!source) return judge.warn("", "not compared: the bkp that made the backup counted none");
  if (!coverage.all_objects)
    return judge.well(fmt::format("not compared: the dump left out {}", coverage.left_out));
  if (unread(*source, "census") || unread(found, "census")) return;
  std::set<std::string> kinds;
  std::uint64_t all = 0;
  for (const auto& [kind, number] : source->census) kinds.insert(kind);
  for (const auto& [kind, number] : found.census) kinds.insert(kind), all += number;
  const auto number_of = [](const Soundness& soundness, const std::string& kind) {
    const auto at = soundness.census.find(kind);
    return at == soundness.census.end() ? 0 : at->second;
  };
  for (const std::string& kind : kinds) {
    const std::uint64_t wanted = number_of(*source, kind), there = number_of(found, kind);
    if (wanted == there) continue;
    const std::string text = fmt::format("{} instead of {}", there, wanted);
    if (source->major == found.major)
      judge.fail(kind, text);
    else
      judge.warn(kind, fmt::format("{}; PostgreSQL {} may count otherwise than {}", text,
                                   found.major, source->major));
  }
  judge.well(fmt::format("{} of {}, as many as at the source", plural(all, "object", "objects"),
                         plural(found.census.size(), "kind", "kinds")));
}

void judge_constraints(const std::optional<Soundness>& source, const Soundness& found,
                       ProofFindings& findings) {
  Judge judge("constraints", findings);
  judge.tell_unread(source, found, "constraints");
  for (const std::string& name : found.not_valid) {
    if (!source || unread(*source, "constraints"))
      judge.warn(name, fmt::format("is NOT VALID; {}", kUnknown));
    else if (holds(source->not_valid, name))
      judge.warn(name, "is NOT VALID, as at the source");
    else
      judge.fail(name, "is NOT VALID here, but was valid at the source");
  }
  judge.well("every one is valid");
}

void judge_foreign_keys(const std::optional<Soundness>& source,
                        const std::vector<ForeignKeyCheck>& checks, ProofFindings& findings) {
  Judge judge("foreign keys", findings);
  for (const ForeignKeyCheck& check : checks) {
    if (!check.problem.empty()) {
      judge.warn(check.constraint, "was not looked into: " + check.problem);
    } else if (check.orphans > 0) {
      const std::string text = fmt::format(
          "{} no row of {}",
          check.orphans == 1 ? "1 row refers to" : fmt::format("{} rows refer to", check.orphans),
          check.referenced);
      if (check.valid || (source && !unread(*source, "constraints") &&
                          !holds(source->not_valid, check.constraint)))
        judge.fail(check.constraint, text);
      else
        judge.warn(check.constraint, text + "; the constraint is NOT VALID");
    }
  }
  judge.well(fmt::format("{}: every row finds the row that it refers to",
                         plural(checks.size(), "foreign key", "foreign keys")));
}

void judge_indexes(const std::optional<Soundness>& source, const Soundness& found,
                   const IndexChecks& checks, ProofFindings& findings) {
  Judge judge("indexes", findings);
  judge.tell_unread(source, found, "indexes");
  if (!checks.unavailable.empty()) judge.warn("", "none was looked into: " + checks.unavailable);
  for (const BrokenIndex& broken : checks.broken) judge.fail(broken.index, broken.problem);
  for (const std::string& name : found.invalid_indexes) {
    if (!source)
      judge.warn(name, fmt::format("is invalid; {}", kUnknown));
    else if (holds(source->invalid_indexes, name))
      judge.warn(name, "is invalid, as at the source");
    else
      judge.fail(name, "is invalid here, but was valid at the source");
  }
  if (source)
    for (const std::string& name : source->invalid_indexes)
      if (!holds(found.invalid_indexes, name))
        judge.warn(name, "was invalid at the source: such an index is in no dump");
  judge.well(fmt::format(
      "{}: every page is sound, every row is found{}",
      plural(checks.looked_into, "btree index", "btree indexes"),
      checks.others == 0 ? "" : fmt::format(" ({} of other kinds are valid)", checks.others)));
}

void judge_sequences(const std::optional<Soundness>& source, const Soundness& found,
                     ProofFindings& findings) {
  Judge judge("sequences", findings);
  judge.tell_unread(source, found, "sequences");
  for (const LowSequence& low : found.low_sequences) {
    const std::string text = fmt::format("its next value is {}, but {} has reached {}", low.next,
                                         low.column, low.reached);
    const auto same = [&low](const LowSequence& each) { return each.sequence == low.sequence; };
    if (!source || unread(*source, "sequences")) {
      judge.warn(low.sequence, fmt::format("{}; {}", text, kUnknown));
    } else if (std::any_of(source->low_sequences.begin(), source->low_sequences.end(), same)) {
      judge.warn(low.sequence, text + ", as at the source");
    } else if (const auto at = source->unlooked_sequences.find(low.sequence);
               at != source->unlooked_sequences.end() &&
               (at->second.empty() || at->second == low.next)) {
      judge.warn(low.sequence, text + "; the source was not asked, it would have taken too long");
    } else {
      judge.fail(low.sequence, text);
    }
  }
  for (const auto& [sequence, next] : found.unlooked_sequences)
    judge.warn(sequence, "could not be compared with its column");
  judge.well("none is behind its column");
}

}  // namespace bkp
