#include "base/interrupt.h"

#include <csignal>
#include <string>

#include "base/error.h"

namespace bkp {
namespace {

volatile std::sig_atomic_t received = 0;

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

void check_interrupt() {
  if (received != 0)
    throw Error(ErrorCode::failed,
                std::string("stopped by ") + (received == SIGINT ? "SIGINT" : "SIGTERM"));
}

void block_stop_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void clear_interrupt() noexcept { received = 0; }

}  // namespace bkp
