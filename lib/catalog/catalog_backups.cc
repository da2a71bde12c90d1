#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/error.h"
#include "base/uuid.h"
#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace bkp {

namespace {

// "WHERE … ORDER BY … LIMIT …" and the values of its parameters.
class Clause {
 public:
  Clause(const BackupFilter& filter, const std::string& cluster) {
    if (!cluster.empty()) compare("cluster =", to_sql(cluster));
    if (filter.type) compare("type =", to_sql(to_text(*filter.type)));
    if (filter.status) compare("status =", to_sql(to_text(*filter.status)));
    if (filter.database) compare("database =", to_sql(*filter.database));
    if (filter.tenant) compare("tenant =", to_sql(*filter.tenant));
    if (filter.since) compare("created_at >=", to_sql(*filter.since));
    if (filter.until) compare("created_at <", to_sql(*filter.until));
    if (filter.storage) {
      values_.push_back(to_sql(*filter.storage));
      condition(
          fmt::format("EXISTS (SELECT 1 FROM copies WHERE copies.backup_id = backups.id"
                      " AND copies.storage = ${} AND copies.state <> 'DELETED')",
                      values_.size()));
    }
    if (!filter.include_deleted && filter.status != BackupStatus::deleted)
      condition("status <> 'DELETED'");
    order(filter);
  }

  const std::string& text() const { return text_; }
  const std::vector<SqlValue>& values() const { return values_; }

 private:
  void condition(const std::string& test) { text_ += (text_.empty() ? " WHERE " : " AND ") + test; }
  void compare(std::string_view test, SqlValue value) {
    values_.push_back(std::move(value));
    condition(fmt::format("{} ${}", test, values_.size()));
  }
  void order(const BackupFilter& filter) {
    const char* way = filter.ascending ? "ASC" : "DESC";
    switch (filter.sort) {
      case BackupFilter::Sort::created:
        break;
      case BackupFilter::Sort::size:
        sort_by_ = fmt::format("size_bytes {}, ", way);
        break;
      case BackupFilter::Sort::duration:
        sort_by_ = fmt::format("duration_seconds {}, ", way);
        break;
      case BackupFilter::Sort::database:
        sort_by_ = fmt::format("database {0}, tenant {0}, ", way);
        break;
    }
    text_ += fmt::format(" ORDER BY {}created_at {}, id", sort_by_, way);
    if (!filter.limit) return;
    values_.push_back(to_sql(std::uint64_t{*filter.limit}));
    text_ += fmt::format(" LIMIT ${}", values_.size());
  }

  std::string text_;
  std::string sort_by_;
  std::vector<SqlValue> values_;
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool could_begin_uuid(std::string_view text) {
  return text.size() >= 4 && text.size() <= 36 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isxdigit(c) || c == '-'; });
}

Error several(std::string_view asked, const std::vector<SqlRow>& rows) {
  std::string message = fmt::format("'{}' can be {} backups", asked,
                                    rows.size() > 5 ? "more than 5" : std::to_string(rows.size()));
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 5); ++i) {
    const BackupRecord backup = to_backup(rows[i]);
    message += fmt::format("{} {} ({}{}{})", i == 0 ? ":" : ",", backup.id, backup.database,
                           backup.database.empty() ? "" : ", ", format_local(backup.created_at));
  }
  return {ErrorCode::usage, message, "write more of the ID"};
}

}  // namespace

void Catalog::put_backup(const BackupRecord& backup) {
  database_->transaction([&] {
    database_->query(upsert_into(kBackups), to_row(backup));
    for (const CopyRecord& copy : backup.copies) put_copy(backup.id, copy);
  });
}

void Catalog::put_copy(std::string_view backup_id, const CopyRecord& copy) {
  database_->query(upsert_into(kCopies), to_row(backup_id, copy));
}

void Catalog::remove_backup(std::string_view id) {
  database_->query("DELETE FROM backups WHERE id = $1", std::array{to_sql(id)});
}

std::optional<BackupRecord> Catalog::backup(std::string_view id) const {
  const auto rows =
      database_->query(select_from(kBackups) + " WHERE id = $1", std::array{to_sql(id)});
  if (rows.empty()) return std::nullopt;
  BackupRecord backup = to_backup(rows.front());
  for (const SqlRow& row : database_->query(
           select_from(kCopies) + " WHERE backup_id = $1 ORDER BY storage", std::array{to_sql(id)}))
    backup.copies.push_back(to_copy(row).second);
  return backup;
}

std::vector<BackupRecord> Catalog::backups(const BackupFilter& filter) const {
  const Clause clause(filter, cluster_);
  std::vector<BackupRecord> found;
  std::map<std::string, std::size_t> places;
  for (const SqlRow& row :
       database_->query(select_from(kBackups) + clause.text(), clause.values())) {
    found.push_back(to_backup(row));
    places.emplace(found.back().id, found.size() - 1);
  }
  if (found.empty()) return found;
  for (const SqlRow& row : database_->query(
           fmt::format("{} WHERE backup_id IN (SELECT id FROM backups{}) ORDER BY storage",
                       select_from(kCopies), clause.text()),
           clause.values())) {
    auto [id, copy] = to_copy(row);
    // A backup that came into being since the first question is not in the answer.
    const auto place = places.find(id);
    if (place != places.end()) found[place->second].copies.push_back(std::move(copy));
  }
  return found;
}

BackupRecord Catalog::find_backup(std::string_view id_or_name) const {
  const std::string wanted = lower(id_or_name);
  if (Uuid::parse(wanted)) {
    if (auto whole = backup(wanted); whole && (cluster_.empty() || whole->cluster == cluster_))
      return *whole;
  }
  const std::string name(id_or_name.substr(id_or_name.rfind('/') + 1));
  const bool by_id = could_begin_uuid(wanted);
  const auto rows = database_->query(
      fmt::format("{} WHERE {} AND status <> 'DELETED' AND ($3 = '' OR cluster = $3)"
                  " ORDER BY created_at DESC LIMIT 6",
                  select_from(kBackups),
                  by_id ? "substr(id, 1, $2) = $1" : "filename = $1 AND $2 > 0"),
      std::array{to_sql(by_id ? wanted : name), to_sql(std::uint64_t{wanted.size()}),
                 to_sql(cluster_)});
  if (rows.size() > 1) throw several(id_or_name, rows);
  if (rows.size() == 1)
    if (auto one = backup(to_backup(rows.front()).id)) return *one;
  throw NoSuchBackup(
      ErrorCode::usage,
      "there is no backup '" + std::string(id_or_name) + "' in catalog " + describe(),
      "write an ID or the first 4 or more of its characters, or a file name, as 'bkp list' "
      "shows them");
}

}  // namespace bkp
