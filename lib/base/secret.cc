#include "base/secret.h"

#include <string.h>  // explicit_bzero

namespace bkp {

void Secret::wipe() noexcept {
  if (!bytes_.empty()) explicit_bzero(bytes_.data(), bytes_.size());
}

std::string to_string(const Secret&) { return "****"; }

}  // namespace bkp
