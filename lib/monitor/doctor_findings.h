// How the checks of doctor.h are put together: a check that throws is a failed finding.
#pragma once

#include <functional>

#include "base/error.h"
#include "monitor/doctor.h"
#include "storage/storage.h"

namespace bkp {

inline Finding all_is_well(std::string subject, std::string message) {
  return {FindingLevel::ok, std::move(subject), std::move(message), ""};
}
inline Finding warning(std::string subject, std::string message, std::string cure) {
  return {FindingLevel::warn, std::move(subject), std::move(message), std::move(cure)};
}
inline Finding failure(std::string subject, std::string message, std::string cure) {
  return {FindingLevel::fail, std::move(subject), std::move(message), std::move(cure)};
}

// What `check` finds; an Error ends it and is its last finding.
inline Findings examined(const std::string& subject,
                         const std::function<void(Findings& found)>& check) {
  Findings found;
  try {
    check(found);
  } catch (const Error& error) {
    // Storages begin their messages with their own name, which the subject has said already.
    const std::string said = subject + ": ";
    const std::string& message = error.message();
    found.push_back(failure(
        subject, message.starts_with(said) ? message.substr(said.size()) : message, error.hint()));
  } catch (const std::exception& error) {
    found.push_back(failure(subject, error.what(), ""));
  }
  return found;
}

// The newest backup of each type in the storage opens by the key file.
void check_newest_opens(const Config& config, Storage& storage, const std::string& subject,
                        Findings& found);

}  // namespace bkp
