#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "crypto/key.h"

namespace bkp {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr std::pair<KeyState, std::string_view> kStates[] = {
    {KeyState::active, "active"}, {KeyState::standby, "standby"}, {KeyState::retired, "retired"}};
constexpr std::string_view kFields[] = {"id", "state", "created_at", "secret"};

std::string_view state_name(KeyState state) {
  for (const auto& [value, name] : kStates)
    if (value == state) return name;
  throw Error(ErrorCode::failed, "unknown key state");
}

// Text that held secrets, wiped when it goes.
struct WipedText {
  std::string text;
  ~WipedText() { OPENSSL_cleanse(text.data(), text.size()); }
};

// One [[key]] of a file.
class KeyTable {
 public:
  KeyTable(std::string_view file, const toml::table& table) : file_(file), table_(table) {
    for (const auto& [name, value] : table_)
      if (std::ranges::find(kFields, name.str()) == std::end(kFields))
        throw refuse(value, fmt::format("unknown key '{}'", name.str()));
  }

  MasterKey read() const {
    MasterKey key;
    const std::optional<Uuid> id = Uuid::parse(text("id"));
    if (!id) throw refuse("id", "not a UUID in lower case");
    key.id = *id;
    key.state = state();
    const std::string_view created_at = text("created_at");
    try {
      key.created_at = parse_rfc3339(created_at);
    } catch (const Error&) {
      throw refuse("created_at", "not a time such as 2026-11-20T02:00:00Z");
    }
    key.secret = secret();
    return key;
  }

 private:
  std::string_view text(std::string_view name) const {
    const toml::node* const node = table_.get(name);
    if (node == nullptr) throw refuse(table_, fmt::format("'{}' is missing", name));
    const auto* const value = node->as_string();
    if (value == nullptr) throw refuse(name, "not a text in quotes");
    return value->get();
  }

  KeyState state() const {
    for (const auto& [value, name] : kStates)
      if (name == text("state")) return value;
    throw refuse("state", "not active, standby or retired");
  }

  Key256 secret() const {
    const auto bad = [&] { return refuse("secret", "not 32 bytes in base64"); };
    if (text("secret").size() != 44) throw bad();
    try {
      Bytes bytes = from_base64(text("secret"));
      if (bytes.size() != 32) throw bad();
      const Key256 key{ByteView(bytes)};
      OPENSSL_cleanse(bytes.data(), bytes.size());
      return key;
    } catch (const Error&) {
      throw bad();  // base64's own message might show what it read
    }
  }

  Error refuse(const toml::node& node, std::string_view why) const {
    return {ErrorCode::usage,
            fmt::format("key file '{}', line {}: {}", file_, node.source().begin.line, why)};
  }
  Error refuse(std::string_view name, std::string_view why) const {
    return refuse(*table_.get(name), fmt::format("'{}' is {}", name, why));
  }

  std::string_view file_;
  const toml::table& table_;
};

toml::table parse_toml(std::string_view text, std::string_view name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    // The parser's own words may quote the line, and with it a secret.
    throw Error(ErrorCode::usage,
                fmt::format("key file '{}', line {}, column {}: not TOML", name,
                            error.source().begin.line, error.source().begin.column));
  }
}

void check_protected(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno("cannot examine key file '" + path + "'");
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::usage, fmt::format("key file '{}' is not a file", path));
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    throw Error(ErrorCode::usage,
                fmt::format("key file '{}' belongs to another user (uid {})", path, status.st_uid),
                fmt::format("chown {} '{}'", ::geteuid(), path));
  if ((status.st_mode & 077) != 0)
    throw Error(
        ErrorCode::usage,
        fmt::format("others can use key file '{}' (mode {:04o})", path, status.st_mode & 07777),
        fmt::format("chmod 600 '{}'", path));
}

Fd open_key_file(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file) return file;
  const int reason = errno;
  throw Error(
      ErrorCode::usage,
      fmt::format("cannot open key file '{}': {}", path, std::generic_category().message(reason)),
      reason == ENOENT ? "bring the file from the recovery kit; only where there is no backup yet: "
                         "run 'bkp key generate'"
      : reason == EACCES ? "run bkp as the user that owns the file, or give the file to that user"
                         : "");
}

std::string encode_key_file(const KeyRing& keys) {
  std::string text =
      "# The master keys of bkp. Without them no backup opens: keep a copy off this host.\n";
  for (const MasterKey& key : keys.keys())
    text += fmt::format(
        "\n[[key]]\nid = \"{}\"\nstate = \"{}\"\ncreated_at = \"{}\"\nsecret = \"{}\"\n",
        key.id.text(), state_name(key.state), format_utc(key.created_at),
        to_base64(key.secret.reveal()));
  return text;
}

// As write_file_atomically(), but a file that is there stays: link() never replaces one.
void create_atomically(const std::string& path, std::string_view content) {
  const std::string temporary = path + "." + Uuid::random().short_text() + ".tmp";
  write_file_atomically(temporary, content, 0600);
  const bool linked = ::link(temporary.c_str(), path.c_str()) == 0;
  const int reason = errno;
  ::unlink(temporary.c_str());
  if (!linked) {
    if (reason == EEXIST)
      throw Error(ErrorCode::usage, fmt::format("key file '{}' is there already", path),
                  "a lost key loses its backups: nothing is overwritten");
    errno = reason;
    throw_errno("cannot create key file '" + path + "'");
  }
  sync_directory(std::filesystem::path(path).parent_path());
}

}  // namespace

KeyRing parse_key_file(std::string_view text, std::string_view name) {
  const toml::table file = parse_toml(text, name);
  std::vector<MasterKey> keys;
  for (const auto& [key, value] : file) {
    const toml::array* const tables = key.str() == "key" ? value.as_array() : nullptr;
    if (tables == nullptr)
      throw Error(ErrorCode::usage, fmt::format("key file '{}', line {}: unknown key '{}'", name,
                                                value.source().begin.line, key.str()));
    for (const toml::node& node : *tables) {
      const toml::table* const table = node.as_table();
      if (table == nullptr)
        throw Error(ErrorCode::usage, fmt::format("key file '{}', line {}: not a [[key]] table",
                                                  name, node.source().begin.line));
      keys.push_back(KeyTable(name, *table).read());
    }
  }
  try {
    return KeyRing(std::move(keys));
  } catch (const Error& error) {
    throw error.within(fmt::format("key file '{}'", name));
  }
}

KeyRing load_key_file(const std::filesystem::path& path) {
  const Fd file = open_key_file(path.string());
  check_protected(file.get(), path.string());
  WipedText content;
  Bytes buffer(kLargestFile + 1);  // never grown, so that no stray copy of a secret is left behind
  std::size_t size = 0;
  while (size < buffer.size()) {
    const std::size_t count = read_some(file.get(), std::span(buffer).subspan(size), path.string());
    if (count == 0) break;
    size += count;
  }
  if (size > kLargestFile)
    throw Error(ErrorCode::usage, fmt::format("key file '{}' is too large", path.string()));
  content.text = to_string(ByteView(buffer).first(size));
  OPENSSL_cleanse(buffer.data(), size);
  return parse_key_file(content.text, path.string());
}

void save_key_file(const std::filesystem::path& path, const KeyRing& keys, KeyFileMode mode) {
  const WipedText content{encode_key_file(keys)};
  if (mode == KeyFileMode::replace)
    write_file_atomically(path, content.text, 0600);
  else
    create_atomically(path.string(), content.text);
}

}  // namespace bkp
