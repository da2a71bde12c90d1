// Being asked to stop. SIGINT and SIGTERM set a flag (the process's only mutable global), and
// whoever waits or loops asks for it, so that a stopped run unwinds through destructors and leaves
// nothing behind. A thread can be asked to stop alone, by a token.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace bkp {

// Handlers without SA_RESTART, so that a blocked call ends with EINTR; SIGPIPE is ignored,
// and SIGCHLD is not (a parent may have left it so, and exit statuses would be lost).
void install_signal_handlers();
// The number of the signal received, 0 for none.
int interrupt_signal() noexcept;
// True once a signal was received or this thread's StopScope was asked to stop; never under an
// InterruptShield.
bool interrupted() noexcept;
// Throws Error(failed, "stopped by SIGTERM") when interrupted().
void check_interrupt();
// In a thread of the program's own: leaves SIGINT and SIGTERM to the thread that waits for them.
void block_stop_signals() noexcept;
// While one lives, this thread also counts as interrupted when `stop` asks for it.
class StopScope {
 public:
  explicit StopScope(std::stop_token stop) noexcept;
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  std::stop_token before_;
  int shields_before_;
};

// While one lives, this thread does not see any of that: cleaning up after it must itself not be
// stopped by it. (A StopScope begun under it counts again: cleaning up may have a limit.)
class InterruptShield {
 public:
  InterruptShield() noexcept;
  ~InterruptShield();
  InterruptShield(const InterruptShield&) = delete;
  InterruptShield& operator=(const InterruptShield&) = delete;
};
// For tests: forget a signal.
void clear_interrupt() noexcept;

// Waits until `ready()`, looking for a signal several times a second. Throws as check_interrupt().
template <typename Predicate>
void wait_interruptibly(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                        Predicate ready) {
  while (!changed.wait_for(lock, std::chrono::milliseconds(100), ready)) check_interrupt();
}

}  // namespace bkp
