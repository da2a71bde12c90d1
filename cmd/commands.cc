#include "commands.h"

#include <string>
#include <vector>

#include "base/error.h"
#include "base/privilege.h"
#include "base/units.h"
#include "command_line.h"

namespace bkp {
namespace {

constexpr Command kCommands[] = {
    {"init", "Setup", nullptr, "write a configuration, a key, a catalog, and mark every storage",
     "bkp init\n"
     "bkp init --cluster shop --conninfo 'dbname=shop user=bkp' --local /var/backups/shop --yes\n"
     "bkp init --adopt --local /mnt/disk/shop --key-file /etc/bkp/keys.toml",
     declare_init, Effect::sets_up},
    {"doctor", "Setup", nullptr, "check everything that a backup or a restore will need",
     "bkp doctor\n"
     "bkp doctor --json | jq '.findings[] | select(.level != \"ok\")'",
     declare_doctor},
    {"key", "Setup", nullptr, "make, rotate, retire and carry the keys of backups",
     "bkp key list\n"
     "bkp key rotate --rewrap\n"
     "bkp key retire 3a1fb71f\n"
     "bkp key export --output keys-for-the-safe.toml",
     declare_key, Effect::sets_up},
    {"dump", "Backup", "dump", "back up databases whole with pg_dump, into every storage",
     "bkp dump\n"
     "bkp dump --db shop --note 'before the 4.2 migration'\n"
     "bkp --wait 30m dump --all",
     declare_dump, Effect::changes, "BACKUP_FAILURE"},
    // Takes its lock itself: --diff needs none.
    {"config-snapshot", "Backup", nullptr, "back up configuration files and what the server says",
     "bkp config-snapshot\n"
     "bkp config-snapshot --note 'before the new proxy'\n"
     "bkp config-snapshot --diff\n"
     "bkp config-snapshot --diff 1a2b3c4d",
     declare_config_snapshot, Effect::changes, "CONFIG_SNAPSHOT_FAILURE", kReadFiles},
    {"status", "Look", nullptr, "show last good backups, storages, alerts and the key at a glance",
     "bkp status\n"
     "bkp status --json | jq -r '.storages[] | select(.error != null) | .name'",
     declare_status},
    {"list", "Look", nullptr, "list backups",
     "bkp list\n"
     "bkp list --type FULL_DATABASE --status VERIFIED --since '2026-11-01 00:00 Europe/Berlin'\n"
     "bkp list --storage r2 --sort size --limit 10\n"
     "bkp list --json | jq -r '.[].id'",
     declare_list},
    {"show", "Look", nullptr, "show one backup whole: copies, tables, versions",
     "bkp show latest\n"
     "bkp show 1a2b3c4d --tables all",
     declare_show},
    {"cat", "Look", nullptr, "write one backup, decrypted and decompressed, to standard output",
     "bkp cat latest > shop.dump\n"
     "bkp cat 1a2b3c4d | pg_restore --list\n"
     "bkp cat --from-file old.dump.gz.enc --fernet-key-env OLD_KEY > old.dump",
     declare_cat},
    {"restore", "Restore", nullptr, "restore a backup into a new database and prove it",
     "bkp restore latest --into shop_restored\n"
     "bkp restore 1a2b3c4d --into shop_may --jobs 8 --reason 'ticket 4711'\n"
     "bkp restore latest --db shop --into shop_check\n"
     "bkp restore latest --into shop --swap --dry-run\n"
     "bkp restore latest --into shop --mode merge --dry-run\n"
     "bkp restore latest --into shop --tables app.orders 'app.order_*'\n"
     "bkp restore latest --db shop --into shop --globals\n"
     "bkp restore latest --globals-only --dry-run",
     declare_restore, Effect::changes, nullptr, kWriteFiles},
    {"verify", "Keep", nullptr, "check the copies of backups in every storage",
     "bkp verify\n"
     "bkp verify latest --deep\n"
     "bkp verify --all --storage b2 --depth stat\n"
     "bkp verify --restore --html proof.html",
     declare_verify, Effect::changes, "VERIFY_FAILURE"},
    {"sync", "Keep", nullptr, "bring missing or damaged copies back from good ones",
     "bkp sync\n"
     "bkp sync --storage b2 --limit 50GiB\n"
     "bkp sync --dry-run",
     declare_sync, Effect::changes, "SYNC_FAILURE"},
    {"cleanup", "Keep", "cleanup", "remove what has had its time, and what belongs to nobody",
     "bkp cleanup --dry-run\n"
     "bkp cleanup\n"
     "bkp cleanup --storage local",
     declare_cleanup, Effect::changes, "CLEANUP_FAILURE"},
    {"rm", "Keep", "cleanup", "remove backups, or their copies in some storages, on purpose",
     "bkp rm 1a2b3c4d --dry-run\n"
     "bkp rm 1a2b3c4d --storage local\n"
     "bkp rm 1a2b3c4d 5e6f7a8b --yes",
     declare_rm, Effect::changes},
    {"hold", "Keep", nullptr, "hold backups: nothing may remove them",
     "bkp hold 1a2b3c4d --reason 'ticket 4711'\n"
     "bkp hold latest --db shop",
     declare_hold, Effect::changes},
    {"release", "Keep", nullptr, "let held backups be removed again", "bkp release 1a2b3c4d",
     declare_release, Effect::changes},
    {"catalog", "Keep", nullptr, "build the catalog anew from the storages, or update its schema",
     "bkp catalog rebuild\n"
     "bkp catalog rebuild --from r2\n"
     "bkp catalog migrate",
     declare_catalog, Effect::sets_up},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  for (const Command& command : kCommands)
    if (name == command.name) return &command;
  return nullptr;
}

const Command& known_command(std::string_view name) {
  if (const Command* command = find_command(name)) return *command;
  std::vector<std::string> names{"help"};
  for (const Command& command : kCommands) names.emplace_back(command.name);
  const std::string near = nearest_word(name, names.data(), names.size());
  throw Error(ErrorCode::usage, "unknown command '" + std::string(name) + "'",
              near.empty() ? "'bkp -h' lists the commands" : "did you mean '" + near + "'?");
}

Run declare_command(const Command& command, CLI::App& app, GlobalOptions& globals) {
  app.name(std::string("bkp ") + command.name);
  app.description(command.summary);
  app.set_help_flag("");
  Run run = command.declare(app);
  add_global_options(app, globals, command.effect);
  return run;
}

}  // namespace bkp
