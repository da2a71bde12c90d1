#include "base/privilege.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

namespace bkp {
namespace {

static_assert(CAP_DAC_READ_SEARCH < 32 && CAP_FSETID < 32);

unsigned bits_of(unsigned privileges) {
  unsigned bits = 0;
  if ((privileges & kReadFiles) != 0) bits |= 1U << CAP_DAC_READ_SEARCH;
  if ((privileges & kWriteFiles) != 0)
    bits |= 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID;
  return bits;
}

// Of this thread.
struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};

  bool load() { return ::syscall(SYS_capget, &header, sets) == 0; }
  bool store() { return ::syscall(SYS_capset, &header, sets) == 0; }
};

}  // namespace

void keep_privileges_over_setuid() {
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) throw_errno("cannot keep privileges");
}

void drop_all_but(unsigned privileges) {
  Capabilities capabilities;
  if (!capabilities.load()) throw_errno("cannot read this process's privileges");
  const unsigned kept = capabilities.sets[0].permitted & bits_of(privileges);
  capabilities.sets[0] = {0, kept, 0};
  capabilities.sets[1] = {0, 0, 0};
  if (!capabilities.store()) throw_errno("cannot drop privileges");
}

bool can_raise(unsigned privileges) noexcept {
  Capabilities capabilities;
  const unsigned bits = bits_of(privileges);
  return capabilities.load() && (capabilities.sets[0].permitted & bits) == bits;
}

RaisedPrivilege::RaisedPrivilege(unsigned privileges) noexcept {
  Capabilities capabilities;
  if (!capabilities.load()) return;
  const unsigned bits = bits_of(privileges) & capabilities.sets[0].permitted;
  added_ = bits & ~capabilities.sets[0].effective;
  capabilities.sets[0].effective |= bits;
  if (added_ != 0 && !capabilities.store()) added_ = 0;
}

RaisedPrivilege::~RaisedPrivilege() {
  Capabilities capabilities;
  if (added_ == 0 || !capabilities.load()) return;
  capabilities.sets[0].effective &= ~added_;
  static_cast<void>(capabilities.store());
}

}  // namespace bkp
