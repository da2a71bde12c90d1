#include "crypto/key.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "backup/key_use.h"
#include "backup/rewrap.h"
#include "base/error.h"
#include "base/units.h"
#include "commands.h"
#include "crypto/key_changes.h"
#include "describe.h"
#include "json.h"
#include "key_actions.h"
#include "options.h"
#include "prompt.h"

namespace bkp {
namespace {

constexpr std::size_t kTold = 5;

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

void tell_to_keep(const std::filesystem::path& path, Session& session) {
  session.log().warning("keep a copy of '" + path.string() +
                        "' off this host: without it no backup can be read");
}

// The first key is the active one; a further one stands by until it is made active on purpose.
int generate(const KeyOptions& options, const std::filesystem::path& path, Session& session) {
  const TimePoint now = session.clock().now();
  const bool exists = is_there(path);
  const MasterKey key = generate_master_key(exists ? KeyState::standby : KeyState::active, now);
  KeyRing ring;
  if (exists) {
    ring = change_key_file(path, [&key](const KeyRing& keys) { return add_key(keys, key); });
  } else {
    if (!options.file) refuse_unrelated_key(session.config());
    ring = KeyRing({key});
    save_key_file(path, ring, KeyFileMode::create_new);
  }
  if (session.output().json())
    session.output().document(keys_json(ring.keys()));
  else
    session.output().line((exists ? "added the standby key " : "made the active key ") +
                          key.id.text() + " in '" + path.string() + "'");
  tell_to_keep(path, session);
  return 0;
}

int list(const KeyOptions&, const std::filesystem::path& path, Session& session) {
  const KeyRing ring = load_key_file(path);
  if (session.output().json()) {
    session.output().document(keys_json(ring.keys()));
    return 0;
  }
  const TimePoint now = session.clock().now();
  Table table({{"ID"}, {"STATE"}, {"CREATED"}, {"AGE", Align::right}});
  for (const MasterKey& key : ring.keys())
    table.add({{key.id.text()},
               {std::string(key_state_name(key.state)),
                key.state == KeyState::active ? Colour::good : Colour::plain},
               {format_local(key.created_at)},
               {format_duration(now - key.created_at)}});
  session.output().table(table);
  return 0;
}

// Hosts that write to the storages, as those and the catalog know them, but for this one.
std::vector<std::string> other_hosts(Session& session) {
  std::set<std::string> hosts;
  try {
    for (const Repository::StorageState& state : session.repository().probe())
      if (state.file) hosts.insert(state.file->hosts.begin(), state.file->hosts.end());
    for (const BackupRecord& backup : session.catalog().backups({})) hosts.insert(backup.host);
  } catch (const Error& error) {
    session.log().warning("which hosts need the key file is not known: " + error.message());
  }
  hosts.erase(session.host());
  hosts.erase("");
  return {hosts.begin(), hosts.end()};
}

RewrapResult rewrap_told(Session& session, Doing doing) {
  session.take_lock("rewrap");
  const RewrapResult result = rewrap_backups(session.repository(), session.log(), doing);
  for (const std::string& problem : result.problems) session.log().warning(problem);
  if (!session.output().json())
    session.output().line(
        fmt::format("{} of {} backups {} slots, {} manifests written", result.changed,
                    result.backups, doing == Doing::really ? "got" : "would get", result.written));
  if (!result.problems.empty())
    session.log().warning("what was left as it is opens as before: run 'bkp key rewrap' again");
  return result;
}

int rewrap_exit_code(const RewrapResult& result) {
  return static_cast<int>(result.problems.empty() ? 0 : static_cast<int>(ErrorCode::partial));
}

int rewrap(const KeyOptions& options, const std::filesystem::path&, Session& session) {
  const RewrapResult result =
      rewrap_told(session, options.dry_run ? Doing::only_tell : Doing::really);
  if (session.output().json()) session.output().document(rewrap_json(result));
  return rewrap_exit_code(result);
}

void tell_rotation(const KeyOptions& options, const KeyRing& ring, const Uuid& id,
                   const std::vector<std::string>& hosts, const std::filesystem::path& path,
                   Session& session) {
  session.output().line(fmt::format("key {} is {} in '{}'", id.text(),
                                    options.later ? "standing by" : "the active one",
                                    path.string()));
  if (!hosts.empty())
    session.output().line(
        fmt::format("these hosts need the key file too, before they {}: {}",
                    options.later ? "need the key" : "restore what is backed up from now on",
                    fmt::join(hosts, ", ")));
  if (ring.keys().size() > 1 && !options.later && !options.rewrap && !options.file)
    session.output().line("'bkp key rewrap' lets the backups that there are open by it as well");
}

int rotate(const KeyOptions& options, const std::filesystem::path& path, Session& session) {
  if (options.activate != options.key.has_value())
    throw Error(ErrorCode::usage,
                options.activate ? "'bkp key rotate --activate' needs KEY"
                                 : "'bkp key rotate' makes a new key and takes none",
                "a key that stands by becomes active by: bkp key rotate --activate KEY");
  if (options.activate && options.later)
    throw Error(ErrorCode::usage, "'--later' and '--activate' exclude each other");
  Uuid id;
  const KeyRing ring = change_key_file(path, [&](const KeyRing& keys) {
    if (options.activate) {
      id = find_key(keys, *options.key).id;
      return activate_key(keys, id);
    }
    const MasterKey key = generate_master_key(KeyState::standby, session.clock().now());
    id = key.id;
    const KeyRing more = add_key(keys, key);
    return options.later ? more : activate_key(more, id);
  });
  const std::vector<std::string> hosts =
      options.file ? std::vector<std::string>{} : other_hosts(session);
  const bool json = session.output().json();
  if (!json) tell_rotation(options, ring, id, hosts, path, session);
  tell_to_keep(path, session);
  std::optional<RewrapResult> rewrapped;
  if (options.rewrap) rewrapped = rewrap_told(session, Doing::really);
  if (json)
    session.output().document(rotation_json(ring, hosts, rewrapped ? &*rewrapped : nullptr));
  return rewrapped ? rewrap_exit_code(*rewrapped) : 0;
}

std::string first_of(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < kTold; ++i) text += (i > 0 ? "; " : "") + all[i];
  return all.size() > kTold ? fmt::format("{}; and {} more", text, all.size() - kTold) : text;
}

void refuse_needed(const MasterKey& key, Session& session) {
  const KeyUse use =
      uses_of_key(session.repository(), key.id, session.catalog().backups(BackupFilter{}));
  if (!use.needed_by.empty())
    throw Error(
        ErrorCode::failed,
        fmt::format("key '{}' is needed, {} open by no other: {}", key.id.text(),
                    use.needed_by.size() == 1 ? "a copy" : "copies", first_of(use.needed_by)),
        "'bkp key rewrap' lets backups open by the active key");
  if (!use.unknown.empty())
    throw Error(ErrorCode::failed,
                fmt::format("whether key '{}' is needed cannot be told: {}", key.id.text(),
                            first_of(use.unknown)),
                "retire it when every storage answers and no backup is being written");
}

int retire(const KeyOptions& options, const std::filesystem::path& path, Session& session) {
  if (!options.key)
    throw Error(ErrorCode::usage, "'bkp key retire' needs KEY", "'bkp key list' shows the keys");
  const std::vector<Uuid>& escrow = session.config().also_for;
  const KeyRing before = load_key_file(path);
  const MasterKey& key = find_key(before, *options.key);
  const auto change = options.remove ? erase_key : retire_key;
  change(before, key.id, escrow);  // what is refused is so before storages are asked
  // A run that has begun would go on with the keys that it read.
  for (const char* writer : {"dump", "tenant-dump", "base-backup", "config-snapshot"})
    session.take_lock(writer);
  refuse_needed(key, session);
  const std::string id = key.id.text();
  if (options.dry_run) {
    session.output().line("no backup needs key " + id);
    return 0;
  }
  if (options.remove && !options.yes) {
    if (!can_ask())
      throw Error(ErrorCode::usage, "removing a key from the key file needs --yes here");
    if (!confirm("remove key " + id + " from '" + path.string() + "', for good"))
      throw Error(ErrorCode::failed, "not confirmed: nothing was done");
  }
  const KeyRing ring =
      change_key_file(path, [&](const KeyRing& keys) { return change(keys, key.id, escrow); });
  if (session.output().json())
    session.output().document(keys_json(ring.keys()));
  else
    session.output().line("key " + id + (options.remove ? " is gone from '" : " is retired in '") +
                          path.string() + "'");
  return 0;
}

struct Action {
  const char* name;
  const char* takes;  // options besides --key-file
  bool key;           // takes KEY
  bool alone;         // works on a key file without a configuration
  int (*run)(const KeyOptions&, const std::filesystem::path&, Session&);
};
constexpr Action kActions[] = {
    {"generate", "", false, true, generate},
    {"list", "", false, true, list},
    {"rotate", "--later --activate --rewrap", true, true, rotate},
    {"rewrap", "--dry-run", false, false, rewrap},
    {"retire", "--remove --dry-run --yes", true, false, retire},
    {"export", "--output --qr --yes", true, true, export_keys},
    {"import", "--activate", true, true, import_keys},
};

void refuse_strangers(const Action& action, const KeyOptions& options) {
  const std::pair<const char*, bool> given[] = {{"--later", options.later},
                                                {"--activate", options.activate},
                                                {"--rewrap", options.rewrap},
                                                {"--remove", options.remove},
                                                {"--output", options.output.has_value()},
                                                {"--qr", options.qr},
                                                {"--dry-run", options.dry_run},
                                                {"--yes", options.yes}};
  for (const auto& [name, is_given] : given)
    if (is_given && std::string_view(action.takes).find(name) == std::string_view::npos)
      throw Error(ErrorCode::usage,
                  fmt::format("'bkp key {}' does not take '{}'", action.name, name),
                  "see 'bkp key -h'");
  if (options.key && !action.key)
    throw Error(ErrorCode::usage,
                fmt::format("'bkp key {}' takes no KEY: '{}'", action.name, *options.key));
  if (options.file && (!action.alone || options.rewrap))
    throw Error(ErrorCode::usage,
                fmt::format("'bkp key {}{}' asks the storages, and takes no '--key-file'",
                            action.name, options.rewrap ? " --rewrap" : ""),
                "the configuration names the key file that belongs to them");
}

int run_key(const KeyOptions& options, Session& session) {
  for (const Action& action : kActions) {
    if (options.action != action.name) continue;
    refuse_strangers(action, options);
    const std::filesystem::path path = options.file ? std::filesystem::path(*options.file)
                                                    : session.config(Secrets::optional).key_file;
    return action.run(options, path, session);
  }
  throw Error(ErrorCode::usage, "'bkp key' needs ACTION", "see 'bkp key -h'");
}

}  // namespace

Run declare_key(CLI::App& app) {
  const auto options = std::make_shared<KeyOptions>();
  add_choice(app, "ACTION", options->action, "generate|list|rotate|rewrap|retire|export|import",
             "what to do: see below")
      ->required();
  add_text(app, "KEY", options->key, "FILE",
           "an id or its beginning; of import: a key file, or '-'");
  add_text(app, "--key-file", options->file, "FILE", "instead of the configuration's");
  app.add_flag("--later", options->later, "rotate: the new key stands by");
  app.add_flag("--activate", options->activate, "rotate, import: KEY becomes the active one");
  app.add_flag("--rewrap", options->rewrap, "rotate: then as 'rewrap' does");
  app.add_flag("--remove", options->remove, "retire: out of the key file, for good");
  add_text(app, "--output", options->output, "FILE", "export: into a new file, mode 0600");
  app.add_flag("--qr", options->qr, "export: as QR codes, for paper");
  app.add_flag("--dry-run", options->dry_run, "rewrap, retire: only tell");
  app.add_flag("--yes", options->yes, "retire --remove, export: do not ask");
  return [options](Session& session) { return run_key(*options, session); };
}

}  // namespace bkp
