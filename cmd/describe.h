// How backups are told to people: words and colours that several commands share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/selection.h"
#include "backup/setup.h"
#include "catalog/records.h"
#include "crypto/key.h"
#include "output.h"
#include "session.h"

namespace bkp {

inline constexpr const char* kBackupTypes = "FULL_DATABASE|TENANT_BACKUP|BASE|CONFIGURATION";
inline constexpr const char* kBackupStatuses =
    "PENDING|IN_PROGRESS|COMPLETED|VERIFIED|FAILED|DELETED";

std::string_view outcome_name(SetupStep::Outcome outcome);  // "made", "kept", "failed"

Colour status_colour(BackupStatus status);
Colour state_colour(CopyState state);

// "local r2 !b2": a storage whose copy is missing, damaged or failed has a '!', one that is being
// written a '~', one whose removal is not done a '-'; deleted copies are left out. In the order of
// names.
std::string copies_text(const BackupRecord& backup);

// "2026-11-20", here.
std::string day_text(TimePoint time);

// "1a2b3c4d FULL_DATABASE of 'shop', 2026-11-20T03:00:00+01:00"
std::string backup_title(const BackupRecord& backup);

// Of a --type; none: all.
std::vector<BackupType> wanted_types(const std::optional<std::string>& type);

// "latest" is told by the log: which backup it was. An ID that the catalog does not know is looked
// for in the storages, and what is found there taken into the catalog.
BackupRecord wanted_backup(Session& session, const Selection& wanted);

}  // namespace bkp
