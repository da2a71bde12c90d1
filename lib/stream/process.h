// A child process as a Source of its standard output (and a Sink to its standard input): the one
// way in which bkp runs other programs. An argv vector, never a shell string.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "stream/stream.h"

namespace bkp {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is a path or looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // added to the parent's own
  enum class Input { none, pipe, file } input = Input::none;
  std::shared_ptr<Fd> input_file;  // Input::file
  enum class Output { pipe, discard } output = Output::pipe;
  // From the start: read() and the waits throw Error(failed) after it, and the child dies with the
  // object.
  std::optional<std::chrono::seconds> time_limit;
};

// The child dies with this object: SIGTERM, a moment, SIGKILL; and with bkp itself (PDEATHSIG), so
// that no pg_dump survives a killed bkp. Its standard error is drained by a thread; the last 16 KiB
// of it are kept for the message. Any thread may start one, and end before it. Not
// thread-safe, but input() may be used by another thread than read(). A child shares bkp's process
// group and terminal. Needs SIGPIPE to be ignored (install_signal_handlers).
class Process final : public Source {
 public:
  // Throws Error(failed) when the program cannot be started (the reason is exec's own).
  explicit Process(ProcessOptions options);
  ~Process() override;

  // 0 only after exit status 0. Otherwise throws Error(failed, "pg_dump failed with exit status 1:
  // <the last lines of its standard error>"), or "… was killed by signal 9".
  std::size_t read(std::span<std::byte> out) override;
  // The child's standard input (Input::pipe only). finish() closes it. When this object is
  // destroyed before, the child is killed first: an end of file must never mean the end of the
  // data.
  Sink& input();
  // Waits for the end without reading output; throws as read() does. Idempotent.
  void wait();
  // Waits, and returns the exit status (128 + signal for a killed one) instead of throwing.
  int wait_status();
  // SIGKILL now.
  void kill() noexcept;
  pid_t pid() const;
  // What standard error held, at most the last 16 KiB. Complete once the child has ended.
  std::string error_output() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs a program to its end and returns its standard output (at most `limit` bytes).
std::string run_for_output(ProcessOptions options, std::size_t limit = 1 << 20);

}  // namespace bkp
