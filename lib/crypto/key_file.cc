#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "crypto/key.h"

namespace bkp {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr std::pair<KeyState, std::string_view> kStates[] = {
    {KeyState::active, "active"}, {KeyState::standby, "standby"}, {KeyState::retired, "retired"}};
constexpr std::string_view kFields[] = {"id", "state", "created_at", "secret"};

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

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
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

// Text of a file or a pipe, never grown, so that no stray copy of a secret is left behind.
WipedText read_text(int fd, const std::string& name) {
  Bytes buffer(kLargestFile + 1);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const std::size_t count = read_some(fd, std::span(buffer).subspan(size), name);
    if (count == 0) break;
    size += count;
  }
  WipedText content;
  if (size <= kLargestFile) content.text = to_string(ByteView(buffer).first(size));
  OPENSSL_cleanse(buffer.data(), size);
  if (size > kLargestFile)
    throw Error(ErrorCode::usage, fmt::format("key file '{}' is too large", name));
  return content;
}

WipedText read_key_file(const std::filesystem::path& path) {
  const Fd file = open_key_file(path.string());
  check_protected(file.get(), path.string());
  return read_text(file.get(), path.string());
}

// What runs that were killed while they wrote the file left beside it holds secrets too.
void remove_leavings(const std::filesystem::path& path) {
  const std::string begin = path.filename().string() + ".";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory_of(path), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(".tmp") && name.size() >= begin.size() + 12 &&
        name.compare(begin.size() + 8, 4, ".tmp") == 0)
      std::filesystem::remove(entry.path(), ignored);
  }
}

// The file as it was, but for its content.
void replace_atomically(const std::filesystem::path& path, std::string_view content) {
  struct stat before {};
  const bool there = ::stat(path.c_str(), &before) == 0;
  const std::string temporary = path.string() + "." + Uuid::random().short_text() + ".tmp";
  write_file_atomically(temporary, content, 0600);
  const bool owned = !there || (before.st_uid == ::geteuid() && before.st_gid == ::getegid()) ||
                     ::chown(temporary.c_str(), before.st_uid, before.st_gid) == 0 ||
                     before.st_uid == ::geteuid();
  if (!owned || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    throw_errno("cannot replace key file '" + path.string() + "'");
  }
  sync_directory(directory_of(path));
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
  sync_directory(directory_of(path));
}

// One change at a time: a lock on the directory, which leaves no file behind.
Fd lock_directory(const std::filesystem::path& directory) {
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open directory '" + directory.string() + "'");
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw_errno("cannot lock directory '" + directory.string() + "'");
    check_interrupt();
  }
  return fd;
}

}  // namespace

std::string_view key_state_name(KeyState state) {
  for (const auto& [value, name] : kStates)
    if (value == state) return name;
  throw Error(ErrorCode::failed, "unknown key state");
}

std::vector<MasterKey> parse_keys(std::string_view text, std::string_view name) {
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
  return keys;
}

KeyRing parse_key_file(std::string_view text, std::string_view name) {
  std::vector<MasterKey> keys = parse_keys(text, name);
  try {
    return KeyRing(std::move(keys), std::string(name));
  } catch (const Error& error) {
    throw error.within(fmt::format("key file '{}'", name));
  }
}

KeyRing load_key_file(const std::filesystem::path& path) {
  return parse_key_file(read_key_file(path).text, path.string());
}

std::vector<MasterKey> load_keys(const std::filesystem::path& path) {
  if (path == "-")
    return parse_keys(read_text(STDIN_FILENO, "standard input").text, "standard input");
  return parse_keys(read_key_file(path).text, path.string());
}

Secret key_file_text(std::span<const MasterKey> keys) {
  WipedText content;
  content.text.reserve(1024 + keys.size() * 256);  // never grown, as above
  content.text +=
      "# The master keys of bkp. Without them no backup opens: keep a copy off this host.\n";
  for (const MasterKey& key : keys) {
    const WipedText secret{to_base64(key.secret.reveal())};
    fmt::format_to(std::back_inserter(content.text),
                   "\n[[key]]\nid = \"{}\"\nstate = \"{}\"\ncreated_at = \"{}\"\nsecret = \"{}\"\n",
                   key.id.text(), key_state_name(key.state), format_utc(key.created_at),
                   secret.text);
  }
  return Secret(content.text);
}

void save_key_file(const std::filesystem::path& path, const KeyRing& keys, KeyFileMode mode) {
  const Secret content = key_file_text(keys.keys());
  if (mode == KeyFileMode::replace)
    replace_atomically(path, content.reveal_text());
  else
    create_atomically(path.string(), content.reveal_text());
}

KeyRing change_key_file(const std::filesystem::path& path,
                        const std::function<KeyRing(const KeyRing&)>& change) {
  std::error_code ignored;
  const std::filesystem::path linked = std::filesystem::canonical(path, ignored);
  const std::filesystem::path& target = linked.empty() ? path : linked;
  const Fd lock = lock_directory(directory_of(target));
  KeyRing changed = change(load_key_file(target));
  save_key_file(target, changed, KeyFileMode::replace);
  remove_leavings(target);
  return changed;
}

}  // namespace bkp
