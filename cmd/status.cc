#include "monitor/status.h"

#include <fmt/format.h>

#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json_upkeep.h"
#include "session.h"

namespace bkp {
namespace {

std::string size_or_nothing(const std::optional<std::uint64_t>& size) {
  return size ? format_size(*size) : "";
}

// Only whole databases are restored to prove it.
std::string proved_text(const SeriesStatus& series) {
  if (series.proved_at) return day_text(*series.proved_at);
  return series.type == BackupType::full_database ? "never" : "";
}

void print_series(const Status& status, Output& output) {
  Table table({{"BACKUPS OF"},
               {"TYPE"},
               {"LAST GOOD"},
               {"AGE", Align::right},
               {"SIZE", Align::right},
               {"COPIES"},
               {"PROVED"},
               {"SINCE THEN"}});
  for (const SeriesStatus& series : status.series) {
    const auto& good = series.last_good;
    const std::string failed =
        series.failed_since ? "failed: " + series.failed_since->error : std::string();
    table.add({{series.tenant.empty() ? series.database : series.database + "/" + series.tenant},
               {std::string(to_text(series.type))},
               {good ? format_local(good->created_at) : "none", good ? Colour::plain : Colour::bad},
               {good ? format_duration(status.now - good->created_at) : ""},
               {good ? format_size(good->size_bytes) : ""},
               {good ? copies_text(*good) : ""},
               {proved_text(series), series.proved_at ? Colour::plain : Colour::warn},
               {failed, Colour::bad}});
  }
  if (table.empty())
    output.line(output.paint("there is no backup yet", Colour::bad));
  else
    output.table(table);
}

std::string storage_remark(const StorageStatus& storage) {
  if (!storage.error.empty()) return storage.error;
  if (storage.unknown == 0) return "";
  return fmt::format("{} not in the catalog: bkp list --refresh", storage.unknown);
}

void print_storages(const Status& status, Output& output) {
  Table table({{"STORAGE"},
               {"STATE"},
               {"BACKUPS", Align::right},
               {"THEIR SIZE", Align::right},
               {"USED", Align::right},
               {"FREE", Align::right},
               {"CAPACITY", Align::right},
               {"REMARK"}});
  for (const StorageStatus& storage : status.storages) {
    const bool good = storage.error.empty();
    table.add({{storage.name},
               {good ? "answers" : "FAILS", good ? Colour::good : Colour::bad},
               {good ? std::to_string(storage.backups) : ""},
               {good ? format_size(storage.bytes) : ""},
               {size_or_nothing(storage.used)},
               {size_or_nothing(storage.available)},
               {size_or_nothing(storage.capacity)},
               {storage_remark(storage), good ? Colour::faint : Colour::bad}});
  }
  output.table(table);
}

void print_alerts(const Status& status, Output& output) {
  if (status.alerts.empty()) {
    output.line("no alerts");
    return;
  }
  Table table({{"ALERT"}, {"SEVERITY"}, {"SINCE"}, {"TIMES", Align::right}, {"MESSAGE"}});
  for (const AlertRecord& alert : status.alerts)
    table.add({{alert.type},
               {std::string(to_text(alert.severity)),
                alert.severity == AlertSeverity::critical ? Colour::bad : Colour::warn},
               {format_local(alert.first_at)},
               {std::to_string(alert.count)},
               {alert.message}});
  output.table(table);
}

int run_status(Session& session) {
  Context context = session.context();
  const Status status = take_status(context);
  Output& output = session.output();
  if (output.json()) {
    output.document(status_json(status));
    return 0;
  }
  print_series(status, output);
  output.line("");
  print_storages(status, output);
  output.line("");
  print_alerts(status, output);
  output.line(fmt::format("\nkey {}, {} old", status.active_key,
                          format_duration(status.now - status.key_created_at)));
  return 0;
}

}  // namespace

Run declare_status(CLI::App&) { return run_status; }

}  // namespace bkp
