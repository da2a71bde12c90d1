// `bkp verify`: what its two ways share. Test restores are a file of their own: verify_restore.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "session.h"

namespace bkp {

struct VerifyOptions {
  std::vector<std::string> ids;
  bool all = false;
  std::optional<std::string> sample;
  std::optional<unsigned> limit;
  std::optional<std::string> database, depth;
  std::vector<std::string> storages;
  bool deep = false;
  bool restore = false, newest = false, random = false;
  std::optional<unsigned> jobs;
  std::optional<std::string> html;
};

// verify --restore
int run_prove(const VerifyOptions& options, Session& session);

}  // namespace bkp
