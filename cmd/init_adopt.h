// `bkp init --adopt`: from one storage and the key file to a configuration, on a host that has
// nothing else.
#pragma once

#include <optional>
#include <string>

#include "config/template.h"
#include "crypto/key.h"
#include "session.h"

namespace bkp {

struct AdoptOptions {
  bool adopt = false;
  std::optional<std::string> endpoint, bucket, region, prefix, provider, ca_file;
  std::optional<std::string> access_key_env, secret_key_env;
  bool names_bucket() const { return bucket.has_value(); }
  bool any() const;  // of those that go with --adopt alone
};
void declare_adopt(CLI::App& app, AdoptOptions& options);

// The storage that is given: `local`, or the bucket that the options name. Throws Error(usage)
// unless it is just one.
StorageSection given_storage(const AdoptOptions& options, const std::optional<std::string>& local);

// Completes `answers` (whose only storage is the given one, as `probe` was read from them) by what
// that storage tells: the cluster (`wanted`, where there are several), its other storages, a
// database to connect to.
void complete_answers(InitAnswers& answers, const Config& probe, const KeyRing& keys,
                      const std::optional<std::string>& wanted, bool conninfo_given);

// The variables that the given storage is reached with, for those that the file does not have yet.
// They come from the environment, which the next run may be without.
std::string secrets_for_file(const StorageSection& given, const std::string& file_content);

}  // namespace bkp
