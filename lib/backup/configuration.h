// What a configuration snapshot holds, entry by entry: the sealed part of its manifest, what tells
// two snapshots apart, and what a restore is proved against. Specified in bkp-repository(5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "crypto/digest.h"
#include "stream/tar.h"

namespace bkp {

// Where in the archive what the server says is kept; all else is the host's, without its first '/'.
inline constexpr std::string_view kServerDirectory = "bkp/server";
// The ending of a file's name in the archive when it is sealed a second time.
inline constexpr std::string_view kSealedEnding = ".bkp-sealed";

// How a secret file can be told the same without telling anything of it: an HMAC of its plain bytes
// under a key of the secrets key file.
struct SecretProof {
  Uuid key_id;
  Digest256 mac{};
  friend bool operator==(const SecretProof&, const SecretProof&) = default;
};

struct ConfigurationEntry {
  TarEntry tar;        // with the plain name, size and link, also where what is stored is sealed
  Digest256 sha256{};  // of a file's bytes as they are in the archive
  std::optional<SecretProof> secret;  // the file is sealed; its name in the archive ends so

  std::string stored_path() const;
};

// What is not in the snapshot, and why.
struct LeftOut {
  std::string path;
  std::string reason;
  bool counted = true;  // false: it is so by rule, and the snapshot is whole without it
};

struct Configuration {
  std::vector<ConfigurationEntry> entries;  // by path; what a hard link is of comes before it
  std::vector<LeftOut> left_out;

  std::size_t problems() const;  // of left_out, those that count
  // The same for the same names, kinds, modes, owners, targets and contents; times do not count.
  Digest256 digest() const;
};

// The JSON of Manifest::details, and back. Throws Error(integrity).
std::string encode_configuration(const Configuration& configuration);
Configuration decode_configuration(std::string_view details);
bool has_configuration(std::string_view details);  // whether it is of a snapshot at all

// As a path of the host ("/etc/nginx"), or of what the server says ("bkp/server/roles.json").
std::string shown_path(std::string_view archive_path);

}  // namespace bkp
