#include "crypto/key.h"

#include <memory>

#include "base/error.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct KeyOptions {
  std::optional<std::string> action;
  std::optional<std::string> file;
};

std::filesystem::path key_file(const KeyOptions& options, Session& session) {
  return options.file ? std::filesystem::path(*options.file)
                      : session.config(Secrets::optional).key_file;
}

// The first key is the active one; a further one stands by until it is made active on purpose.
int generate(const std::filesystem::path& path, Session& session) {
  const TimePoint now = session.clock().now();
  std::error_code ignored;
  const bool exists = std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
  std::vector<MasterKey> keys;
  if (exists) keys = load_key_file(path).keys();
  const MasterKey key = generate_master_key(exists ? KeyState::standby : KeyState::active, now);
  keys.push_back(key);
  const KeyRing ring(std::move(keys));
  save_key_file(path, ring, exists ? KeyFileMode::replace : KeyFileMode::create_new);
  if (session.output().json())
    session.output().document(keys_json(ring));
  else
    session.output().line((exists ? "added the standby key " : "made the active key ") +
                          key.id.text() + " in '" + path.string() + "'");
  session.log().warning("keep a copy of '" + path.string() +
                        "' off this host: without it no backup can be read");
  return 0;
}

int list(const std::filesystem::path& path, Session& session) {
  const KeyRing ring = load_key_file(path);
  if (session.output().json()) {
    session.output().document(keys_json(ring));
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

int run_key(const KeyOptions& options, Session& session) {
  const std::filesystem::path path = key_file(options, session);
  return options.action == "generate" ? generate(path, session) : list(path, session);
}

}  // namespace

Run declare_key(CLI::App& app) {
  const auto options = std::make_shared<KeyOptions>();
  add_choice(app, "ACTION", options->action, "generate|list",
             "generate: make the key file, or add a standby key to it; list: ids, states and ages")
      ->required();
  add_text(app, "--key-file", options->file, "FILE", "instead of the configuration's");
  return [options](Session& session) { return run_key(*options, session); };
}

}  // namespace bkp
