// What is left of root's power to a process that was started as root and became another user: none,
// unless it asked to keep some, and then only while it says so. (Linux capabilities.)
#pragma once

namespace bkp {

enum Privilege : unsigned {
  kNoPrivilege = 0,
  kReadFiles = 1,   // whoever they belong to
  kWriteFiles = 2,  // the same, and give them to others
};

// Before setuid(): these stay within reach of raise. After it: they are out of effect, and all
// others are gone.
void keep_privileges_over_setuid();
void drop_all_but(unsigned privileges);

// Whether this process has them or can raise them.
bool can_raise(unsigned privileges) noexcept;

// While one lives, this thread has the privileges that it can have. Where it can have none, nothing
// happens.
class RaisedPrivilege {
 public:
  explicit RaisedPrivilege(unsigned privileges) noexcept;
  ~RaisedPrivilege();
  RaisedPrivilege(const RaisedPrivilege&) = delete;
  RaisedPrivilege& operator=(const RaisedPrivilege&) = delete;

 private:
  unsigned added_ = 0;
};

}  // namespace bkp
