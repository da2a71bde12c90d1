#include "catalog/records.h"

#include <array>
#include <utility>

#include "base/error.h"

namespace bkp {

namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<BackupType, 4> kBackupTypes{{{BackupType::full_database, "FULL_DATABASE"},
                                             {BackupType::tenant_backup, "TENANT_BACKUP"},
                                             {BackupType::base, "BASE"},
                                             {BackupType::configuration, "CONFIGURATION"}}};
constexpr Names<BackupStatus, 6> kBackupStatuses{{{BackupStatus::pending, "PENDING"},
                                                  {BackupStatus::in_progress, "IN_PROGRESS"},
                                                  {BackupStatus::completed, "COMPLETED"},
                                                  {BackupStatus::verified, "VERIFIED"},
                                                  {BackupStatus::failed, "FAILED"},
                                                  {BackupStatus::deleted, "DELETED"}}};
constexpr Names<CopyState, 8> kCopyStates{{{CopyState::writing, "WRITING"},
                                           {CopyState::good, "GOOD"},
                                           {CopyState::missing, "MISSING"},
                                           {CopyState::damaged, "DAMAGED"},
                                           {CopyState::failed, "FAILED"},
                                           {CopyState::deleting, "DELETING"},
                                           {CopyState::deleted, "DELETED"},
                                           {CopyState::absent, "ABSENT"}}};
constexpr Names<AlertSeverity, 3> kAlertSeverities{{{AlertSeverity::info, "INFO"},
                                                    {AlertSeverity::warning, "WARNING"},
                                                    {AlertSeverity::critical, "CRITICAL"}}};
constexpr Names<AlertState, 3> kAlertStates{{{AlertState::open, "OPEN"},
                                             {AlertState::acknowledged, "ACKNOWLEDGED"},
                                             {AlertState::resolved, "RESOLVED"}}};

template <typename Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  return "UNKNOWN";
}

template <typename Enum, std::size_t N>
Enum value_of(const Names<Enum, N>& names, std::string_view text, std::string_view what) {
  std::string all;
  for (const auto& [known, name] : names) {
    if (name == text) return known;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorCode::failed, "'" + std::string(text) + "' is not a " + std::string(what),
              "known are " + all);
}

}  // namespace

std::string_view to_text(BackupType type) { return name_of(kBackupTypes, type); }
std::string_view to_text(BackupStatus status) { return name_of(kBackupStatuses, status); }
std::string_view to_text(CopyState state) { return name_of(kCopyStates, state); }
std::string_view to_text(AlertSeverity severity) { return name_of(kAlertSeverities, severity); }
std::string_view to_text(AlertState state) { return name_of(kAlertStates, state); }

BackupType parse_backup_type(std::string_view text) {
  return value_of(kBackupTypes, text, "backup type");
}
BackupStatus parse_backup_status(std::string_view text) {
  return value_of(kBackupStatuses, text, "backup status");
}
CopyState parse_copy_state(std::string_view text) {
  return value_of(kCopyStates, text, "copy state");
}
AlertSeverity parse_alert_severity(std::string_view text) {
  return value_of(kAlertSeverities, text, "severity");
}
AlertState parse_alert_state(std::string_view text) {
  return value_of(kAlertStates, text, "alert state");
}

}  // namespace bkp
