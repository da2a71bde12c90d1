#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "crypto/key_changes.h"
#include "json.h"
#include "key_actions.h"
#include "qr_code.h"

namespace bkp {
namespace {

// The keys as text, or each as a QR code under its id: what a camera reads is such a text again.
Secret exported(const std::vector<MasterKey>& keys, bool qr, bool terminal) {
  if (!qr) return key_file_text(keys);
  std::string text;
  for (const MasterKey& key : keys)
    text += "key " + key.id.text() + "\n" +
            qr_code(key_file_text(std::span(&key, 1)).reveal_text(), terminal);
  return Secret(text);
}

// Copies that are handed out whole: a key alone is the active one of its file.
std::vector<MasterKey> wanted_keys(const KeyOptions& options, const KeyRing& ring) {
  if (!options.key) return ring.keys();
  std::vector<MasterKey> one{find_key(ring, *options.key)};
  if (one.front().state == KeyState::standby) one.front().state = KeyState::active;
  return one;
}

}  // namespace

int export_keys(const KeyOptions& options, const std::filesystem::path& path, Session& session) {
  const KeyRing ring = load_key_file(path);
  const std::vector<MasterKey> keys = wanted_keys(options, ring);
  const bool terminal = !options.output && ::isatty(STDOUT_FILENO) == 1;
  if (!options.output && session.output().json())
    throw Error(ErrorCode::usage, "keys are not written as JSON",
                "'--output FILE' writes a key file, and --json then tells which keys it holds");
  if (!options.output && !terminal && !options.yes)
    throw Error(ErrorCode::usage, "keys are not written to a pipe or a file unasked",
                "'--output FILE' writes a file that only you can read; --yes if you mean it");
  const Secret text = exported(keys, options.qr, terminal);
  if (!options.output) {
    session.output();  // clears the bar
    write_all(STDOUT_FILENO, text.reveal(), "standard output");
    return 0;
  }
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(*options.output, ignored)))
    throw Error(ErrorCode::usage, "'" + *options.output + "' is there already",
                "name a file that does not exist yet");
  write_file_atomically(*options.output, text.reveal_text(), 0600);
  if (session.output().json())
    session.output().document(keys_json(keys));
  else
    session.output().line("wrote " + std::to_string(keys.size()) +
                          (keys.size() == 1 ? " key" : " keys") + " to '" + *options.output + "'");
  session.log().warning("whoever has '" + *options.output + "' and a storage can read the backups");
  return 0;
}

int import_keys(const KeyOptions& options, const std::filesystem::path& path, Session& session) {
  if (!options.key)
    throw Error(ErrorCode::usage, "'bkp key import' needs FILE",
                "name a key file, or '-' for standard input");
  const std::vector<MasterKey> more = load_keys(*options.key);
  if (more.empty()) throw Error(ErrorCode::usage, "there is no key in '" + *options.key + "'");
  const MasterKey* first = more.size() == 1 ? &more.front() : nullptr;
  for (const MasterKey& key : more)
    if (key.state == KeyState::active) first = &key;
  if (options.activate && first == nullptr)
    throw Error(ErrorCode::usage, "none of the keys in '" + *options.key + "' is the active one",
                "import them, then choose: bkp key rotate --activate KEY");

  std::vector<Uuid> added;
  KeyRing ring;
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    ring = first_keys(more);
    save_key_file(path, ring, KeyFileMode::create_new);
    for (const MasterKey& key : ring.keys()) added.push_back(key.id);
  } else {
    ring = change_key_file(path, [&](const KeyRing& keys) {
      ImportedKeys imported = import_keys(keys, more);
      added = imported.added;
      return options.activate ? activate_key(imported.keys, first->id) : imported.keys;
    });
  }
  if (session.output().json()) {
    session.output().document(keys_json(ring.keys()));
    return 0;
  }
  for (const Uuid& id : added)
    session.output().line("added the " + std::string(key_state_name(ring.find(id)->state)) +
                          " key " + id.text() + " to '" + path.string() + "'");
  if (added.empty()) session.output().line("'" + path.string() + "' has them all");
  if (options.activate) session.output().line("key " + first->id.text() + " is the active one");
  return 0;
}

}  // namespace bkp
