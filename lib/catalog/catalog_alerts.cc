#include <algorithm>
#include <array>

#include "catalog/catalog.h"
#include "catalog/rows.h"

namespace bkp {

AlertRecord Catalog::raise_alert(const AlertRecord& alert) {
  AlertRecord stored;
  database_->transaction([&] {
    stored = alert;
    const auto rows =
        database_->query(select_from(kAlerts) + " WHERE dedup_key = $1 AND state <> 'RESOLVED'",
                         std::array{to_sql(alert.dedup_key)});
    if (!rows.empty()) {
      stored = to_alert(rows.front());
      ++stored.count;
      stored.severity = std::max(stored.severity, alert.severity);
      stored.message = alert.message;
      stored.backup_id = alert.backup_id;
      stored.storage = alert.storage;
      stored.run_id = alert.run_id;
      stored.details = alert.details;
      stored.last_at = alert.last_at;
    }
    database_->query(upsert_into(kAlerts), to_row(stored));
  });
  return stored;
}

bool Catalog::put_alert(const AlertRecord& alert) {
  bool told_already = false;
  database_->transaction([&] {
    told_already = alert.state != AlertState::resolved &&
                   !database_
                        ->query(
                            "SELECT 1 FROM alerts WHERE dedup_key = $1 AND id <> $2"
                            " AND state <> 'RESOLVED'",
                            std::array{to_sql(alert.dedup_key), to_sql(alert.id)})
                        .empty();
    if (!told_already) database_->query(upsert_into(kAlerts), to_row(alert));
  });
  return !told_already;
}

void Catalog::resolve_alert(std::string_view dedup_key, TimePoint now) {
  database_->query(
      "UPDATE alerts SET state = 'RESOLVED', resolved_at = $2"
      " WHERE dedup_key = $1 AND state <> 'RESOLVED'",
      std::array{to_sql(dedup_key), to_sql(now)});
}

std::vector<AlertRecord> Catalog::alerts(std::optional<AlertState> state) const {
  std::string statement = select_from(kAlerts);
  std::vector<SqlValue> values;
  if (state) {
    statement += " WHERE state = $1";
    values.push_back(to_sql(to_text(*state)));
  }
  statement += " ORDER BY last_at DESC, id";
  std::vector<AlertRecord> found;
  for (const SqlRow& row : database_->query(statement, values)) found.push_back(to_alert(row));
  return found;
}

}  // namespace bkp
