#include "base/interrupt.h"

#include <csignal>
#include <string>
#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

volatile std::sig_atomic_t received = 0;
thread_local int shields = 0;
thread_local std::stop_token stop;
thread_local int shields_of_stop = 0;  // that were up when it was given

void remember(int signal) { received = signal; }

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
}

int interrupt_signal() noexcept { return received; }

bool interrupted() noexcept {
  return (shields == 0 && received != 0) || (shields == shields_of_stop && stop.stop_requested());
}

void check_interrupt() {
  if (!interrupted()) return;
  const int signal = shields == 0 ? received : 0;
  std::string message = "stopped";
  if (signal != 0) message += signal == SIGINT ? " by SIGINT" : " by SIGTERM";
  throw Error(ErrorCode::failed, message);
}

StopScope::StopScope(std::stop_token token) noexcept
    : before_(std::move(stop)), shields_before_(shields_of_stop) {
  stop = std::move(token);
  shields_of_stop = shields;
}
StopScope::~StopScope() {
  stop = std::move(before_);
  shields_of_stop = shields_before_;
}

InterruptShield::InterruptShield() noexcept { ++shields; }
InterruptShield::~InterruptShield() { --shields; }

void block_stop_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void clear_interrupt() noexcept { received = 0; }

}  // namespace bkp
