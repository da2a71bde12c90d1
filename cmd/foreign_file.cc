#include "foreign_file.h"

#include <cstdlib>

#include "base/error.h"
#include "config/private_file.h"
#include "crypto/fernet.h"
#include "options.h"
#include "stream/begun_source.h"
#include "stream/gunzip.h"

namespace bkp {
namespace {

FernetKey key_of(const ForeignFile& file) {
  if (file.key_file) return parse_fernet_key(read_private_file(*file.key_file, "key file"));
  if (!file.key_env)
    throw Error(ErrorCode::usage, "'--from-file' needs a key",
                "'--fernet-key-env NAME' names a variable, '--fernet-key-file FILE' a file");
  const char* const value = std::getenv(file.key_env->c_str());
  if (value == nullptr || *value == '\0')
    throw Error(ErrorCode::usage, "there is no variable '" + *file.key_env + "'",
                "set it to the Fernet key");
  FernetKey key = parse_fernet_key(value);
  ::unsetenv(file.key_env->c_str());
  return key;
}

class PlainFile final : public Source {
 public:
  explicit PlainFile(const ForeignFile& file)
      : token_(*file.path, key_of(file)), begun_(token_, 2) {
    if (as_text(begun_.beginning()) == "\x1f\x8b") unpacked_.emplace(begun_, *file.path);
  }
  std::size_t read(std::span<std::byte> out) override {
    return unpacked_ ? unpacked_->read(out) : begun_.read(out);
  }

 private:
  FernetSource token_;
  BegunSource begun_;
  std::optional<GunzipSource> unpacked_;
};

}  // namespace

void add_foreign_file(CLI::App& app, ForeignFile& file) {
  add_text(app, "--from-file", file.path, "FILE", "a Fernet file of an older system, not a backup");
  add_text(app, "--fernet-key-env", file.key_env, "NAME", "the variable that has its key");
  add_text(app, "--fernet-key-file", file.key_file, "FILE", "or the file that has it");
}

void require_sense(const ForeignFile& file, bool backup_given) {
  if (!file.path && (file.key_env || file.key_file))
    throw Error(ErrorCode::usage, "a Fernet key says something only with '--from-file'");
  if (file.key_env && file.key_file)
    throw Error(ErrorCode::usage, "'--fernet-key-env' and '--fernet-key-file' exclude each other");
  if (file.path && backup_given)
    throw Error(ErrorCode::usage,
                "'--from-file' is instead of a backup, and takes nothing that chooses one");
}

std::unique_ptr<Source> open_foreign_file(const ForeignFile& file) {
  return std::make_unique<PlainFile>(file);
}

}  // namespace bkp
