#include "describe.h"

#include <algorithm>

#include "backup/adopt.h"

namespace bkp {
std::string_view outcome_name(SetupStep::Outcome outcome) {
  switch (outcome) {
    case SetupStep::Outcome::made:
      return "made";
    case SetupStep::Outcome::kept:
      return "kept";
    case SetupStep::Outcome::failed:
      break;
  }
  return "failed";
}

Colour status_colour(BackupStatus status) {
  switch (status) {
    case BackupStatus::verified:
      return Colour::good;
    case BackupStatus::failed:
      return Colour::bad;
    case BackupStatus::pending:
    case BackupStatus::in_progress:
      return Colour::warn;
    case BackupStatus::deleted:
      return Colour::faint;
    case BackupStatus::completed:
      break;
  }
  return Colour::plain;
}

Colour state_colour(CopyState state) {
  switch (state) {
    case CopyState::good:
      return Colour::good;
    case CopyState::writing:
    case CopyState::deleting:
    case CopyState::absent:
      return Colour::warn;
    case CopyState::deleted:
      return Colour::faint;
    case CopyState::missing:
    case CopyState::damaged:
    case CopyState::failed:
      break;
  }
  return Colour::bad;
}

std::string copies_text(const BackupRecord& backup) {
  std::vector<CopyRecord> copies = backup.copies;
  std::sort(copies.begin(), copies.end(),
            [](const CopyRecord& a, const CopyRecord& b) { return a.storage < b.storage; });
  std::string text;
  for (const CopyRecord& copy : copies) {
    if (copy.state == CopyState::deleted) continue;
    if (!text.empty()) text += ' ';
    if (copy.state == CopyState::writing) text += '~';
    if (copy.state == CopyState::deleting) text += '-';
    if (state_colour(copy.state) == Colour::bad) text += '!';
    text += copy.storage;
  }
  return text;
}

std::string day_text(TimePoint time) {
  const std::string text = format_local(time);
  return text.substr(0, text.find('T'));
}

std::string backup_title(const BackupRecord& backup) {
  return backup.id.substr(0, 8) + " " + std::string(to_text(backup.type)) +
         (backup.database.empty() ? "" : " of '" + backup.database + "'") + ", " +
         format_local(backup.created_at);
}

std::vector<BackupType> wanted_types(const std::optional<std::string>& type) {
  if (!type) return {};
  return {parse_backup_type(*type)};
}

namespace {

// Another host may have made it, or this catalog may have lost it: the storages know.
BackupRecord select_in_storages(Session& session, const Selection& wanted) {
  session.catalog(SqlAccess::write);
  Context context = session.context();
  AdoptRequest request;
  request.wanted = [&wanted](const std::string& stem) { return may_mean(wanted.which, stem); };
  const AdoptResult result = adopt_backups(context, request);
  for (const std::string& problem : result.problems) session.log().warning(problem);
  BackupRecord backup = select_backup(session.catalog(), wanted);
  session.log().info("found in the storages, now in the catalog: " + backup_title(backup));
  return backup;
}

// Short beginnings could mean anything: they are not looked for.
bool can_be_in_storages(const std::string& which) {
  return which.size() >= 8 &&
         (which.find('.') != std::string::npos ||
          which.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos);
}

BackupRecord select_anywhere(Session& session, const Selection& wanted) {
  try {
    return select_backup(session.catalog(), wanted);
  } catch (const NoSuchBackup&) {
    if (!can_be_in_storages(wanted.which)) throw;
  }
  return select_in_storages(session, wanted);
}

}  // namespace

BackupRecord wanted_backup(Session& session, const Selection& wanted) {
  BackupRecord backup = select_anywhere(session, wanted);
  if (wanted.which == "latest") session.log().info("latest is " + backup_title(backup));
  return backup;
}

}  // namespace bkp
