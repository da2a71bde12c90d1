#include "stream/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"

namespace bkp {
namespace {

constexpr std::size_t kErrorTail = std::size_t{16} << 10;
constexpr int kPipeSize = 1 << 20;
constexpr int kPollMilliseconds = 100;
constexpr int kLostStatus = 127 << 8;  // somebody else reaped our child: not known to be a success
constexpr std::chrono::seconds kMoment{2};  // for a child to end by itself

struct Pipe {
  Fd read_end;
  Fd write_end;
};

// dup2() in the child must not meet a pipe on one of its own targets.
Fd above_standard_streams(Fd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved) throw_errno("cannot duplicate a pipe");
  return moved;
}

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("cannot create a pipe");
  Fd read_end(fds[0]);
  Fd write_end(fds[1]);
  return {above_standard_streams(std::move(read_end)),
          above_standard_streams(std::move(write_end))};
}

// For streams: fewer switches between the two programs. A refusal (pipe-user-pages-soft) costs
// only speed.
Pipe make_wide_pipe() {
  Pipe pipe = make_pipe();
  static_cast<void>(::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, kPipeSize));
  return pipe;
}

Fd open_null() {
  Fd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!fd) throw_errno("cannot open '/dev/null'");
  return above_standard_streams(std::move(fd));
}

// Our end only: the child has its own open file description.
void set_nonblocking(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) < 0)
    throw_errno("cannot set a pipe to non-blocking");
}

std::vector<std::string> merge_environment(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const auto replaced = [name](const auto& pair) { return pair.first == name; };
    if (std::none_of(added.begin(), added.end(), replaced)) merged.emplace_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct ChildSetup {
  char* const* argv;
  char* const* environment;
  int standard_input;
  int standard_output;
  int standard_error;
  int exec_error;
  pid_t parent;
};

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const ChildSetup& setup) {
  // The parent's handlers and mask are not for the child. Its process group is: Ctrl-C and Ctrl-Z
  // reach both, and a program that asks for a password on the terminal may read it.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  static_cast<void>(::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC));
  if (::getppid() != setup.parent) ::_exit(127);  // it died before prctl() could hear of it
  if (::dup2(setup.standard_input, STDIN_FILENO) >= 0 &&
      ::dup2(setup.standard_output, STDOUT_FILENO) >= 0 &&
      ::dup2(setup.standard_error, STDERR_FILENO) >= 0)
    ::execvpe(setup.argv[0], setup.argv, setup.environment);
  const int error = errno;
  static_cast<void>(::write(setup.exec_error, &error, sizeof error));
  ::_exit(127);
}

std::string_view last_lines(std::string_view text, std::size_t count) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  std::size_t start = text.size();
  for (; count > 0 && start != std::string_view::npos && start > 0; --count)
    start = text.rfind('\n', start - 1);
  return start == std::string_view::npos || start == 0 ? text : text.substr(start + 1);
}

}  // namespace

// One thread forks the child, drains its standard error and reaps it. It is the one that forks
// because PDEATHSIG follows the thread, not the process: the child may be started from a thread
// that ends before it.
struct Process::State {
  std::string name;  // of the program, for messages
  std::optional<std::chrono::seconds> time_limit;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  Fd output;
  mutable std::mutex mutex;
  std::condition_variable changed;
  pid_t pid = 0;
  bool settled = false;  // started, or failed to
  std::exception_ptr start_failure;
  std::optional<int> wait_status;  // waitpid's, once the child was reaped
  std::string error_tail;
  std::thread thread;

  class Input final : public Sink {
   public:
    Input(State& state, Fd fd) : state_(state), fd_(std::move(fd)) {}
    void write(ByteView data) override;
    void finish() override { fd_.close(); }

   private:
    State& state_;
    Fd fd_;
  };
  std::optional<Input> input;

  void run(ProcessOptions options, Fd child_input, Fd child_output);
  void start(ProcessOptions& options, const Fd& child_input, const Fd& child_output,
             const Fd& child_error);
  void drain(const Fd& errors);
  bool keep_errors(const Fd& errors);
  bool reap(bool block);
  void signal(int number) noexcept;
  void wait_for(const Fd& fd, short events) const;
  void check_time_limit() const;
  std::string failure() const;  // empty after exit status 0; needs the mutex
  std::string with_errors(std::string message) const;
};

void Process::State::run(ProcessOptions options, Fd child_input, Fd child_output) {
  block_stop_signals();
  Pipe errors;
  std::exception_ptr failure;
  try {
    errors = make_pipe();
    start(options, child_input, child_output, errors.write_end);
  } catch (...) {
    failure = std::current_exception();
  }
  child_input.close();
  child_output.close();
  errors.write_end.close();
  {
    const std::lock_guard lock(mutex);
    start_failure = failure;
    settled = true;
  }
  changed.notify_all();
  if (!failure) drain(errors.read_end);
}

void Process::State::start(ProcessOptions& options, const Fd& child_input, const Fd& child_output,
                           const Fd& child_error) {
  std::vector<std::string> environment = merge_environment(options.environment);
  const std::vector<char*> environment_pointers = pointers(environment);
  const std::vector<char*> argv = pointers(options.argv);
  Pipe exec_error = make_pipe();
  const ChildSetup setup{
      argv.data(),       environment_pointers.data(), child_input.get(), child_output.get(),
      child_error.get(), exec_error.write_end.get(),  ::getpid()};
  const std::string cannot_start = "cannot start '" + options.argv.front() + "'";
  const pid_t child = ::fork();
  if (child < 0) throw_errno(cannot_start);
  if (child == 0) become(setup);
  exec_error.write_end.close();
  int error = 0;
  ssize_t count;
  do {
    count = ::read(exec_error.read_end.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = error;
    throw_errno(cannot_start);
  }
  const std::lock_guard lock(mutex);
  pid = child;
}

void Process::State::drain(const Fd& errors) {
  for (;;) {
    pollfd poll_fd{errors.get(), POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, kPollMilliseconds);
    if (ready > 0 && keep_errors(errors)) continue;
    // The end of standard error is the end of the child, as a rule. It may close it early, and a
    // grandchild may keep it open.
    if (reap(ready > 0)) return;
  }
}

bool Process::State::keep_errors(const Fd& errors) {
  char buffer[4096];
  const ssize_t count = ::read(errors.get(), buffer, sizeof buffer);
  if (count < 0) return errno == EINTR;
  if (count == 0) return false;
  const std::lock_guard lock(mutex);
  error_tail.append(buffer, static_cast<std::size_t>(count));
  if (error_tail.size() > kErrorTail) error_tail.erase(0, error_tail.size() - kErrorTail);
  return true;
}

bool Process::State::reap(bool block) {
  siginfo_t info{};
  const int waited =
      ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | (block ? 0 : WNOHANG));
  if (waited != 0 ? errno != ECHILD : info.si_pid == 0) return false;
  {
    // Looked at first, taken under the mutex: signal() must never meet a number given away.
    const std::lock_guard lock(mutex);
    int status = 0;
    wait_status = ::waitpid(pid, &status, 0) == pid ? status : kLostStatus;
  }
  changed.notify_all();
  return true;
}

void Process::State::signal(int number) noexcept {
  const std::lock_guard lock(mutex);
  if (!wait_status) ::kill(pid, number);
}

// Waits in short turns: the signal may have been delivered to another thread than this one.
void Process::State::wait_for(const Fd& fd, short events) const {
  for (;;) {
    check_interrupt();
    check_time_limit();
    pollfd poll_fd{fd.get(), events, 0};
    if (::poll(&poll_fd, 1, kPollMilliseconds) > 0) return;
  }
}

void Process::State::check_time_limit() const {
  if (time_limit && std::chrono::steady_clock::now() - started > *time_limit)
    throw Error(ErrorCode::failed,
                name + " did not end within " + std::to_string(time_limit->count()) + " s");
}

std::string Process::State::with_errors(std::string message) const {
  const std::string_view tail = last_lines(error_tail, 12);
  if (!tail.empty()) message.append(": ").append(tail);
  return message;
}

std::string Process::State::failure() const {
  if (WIFSIGNALED(*wait_status))
    return with_errors(name + " was killed by signal " + std::to_string(WTERMSIG(*wait_status)));
  if (WEXITSTATUS(*wait_status) == 0) return {};
  return with_errors(name + " failed with exit status " +
                     std::to_string(WEXITSTATUS(*wait_status)));
}

void Process::State::Input::write(ByteView data) {
  if (!fd_) throw Error(ErrorCode::failed, "input of '" + state_.name + "' is closed");
  while (!data.empty()) {
    const ssize_t written = ::write(fd_.get(), data.data(), data.size());
    if (written >= 0) {
      data = data.subspan(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EAGAIN || errno == EINTR) {
      state_.wait_for(fd_, POLLOUT);
      continue;
    }
    if (errno != EPIPE) throw_errno("cannot write to '" + state_.name + "'");
    check_interrupt();
    // It may have closed its input only; one that ended has more to tell.
    std::unique_lock lock(state_.mutex);
    state_.changed.wait_for(lock, kMoment, [this] { return state_.wait_status.has_value(); });
    check_interrupt();
    const std::string cause = state_.wait_status ? state_.failure() : std::string();
    const std::string message = state_.name + " ended before it had read all of its input";
    throw Error(ErrorCode::failed,
                cause.empty() ? state_.with_errors(message) : message + ": " + cause);
  }
}

Process::Process(ProcessOptions options) : state_(std::make_unique<State>()) {
  if (options.argv.empty()) throw Error(ErrorCode::failed, "no program to run");
  State& state = *state_;
  const std::string program = options.argv.front();
  state.name = program.substr(program.rfind('/') + 1);
  state.time_limit = options.time_limit;
  Pipe input;
  Pipe output;
  if (options.input == ProcessOptions::Input::pipe) {
    input = make_wide_pipe();
    set_nonblocking(input.write_end);
    state.input.emplace(state, std::move(input.write_end));
  } else if (options.input == ProcessOptions::Input::file) {
    input.read_end = above_standard_streams(std::move(*options.input_file));
  } else {
    input.read_end = open_null();
  }
  if (options.output == ProcessOptions::Output::pipe) {
    output = make_wide_pipe();
    set_nonblocking(output.read_end);
    state.output = std::move(output.read_end);
  } else {
    output.write_end = open_null();
  }
  state.thread = std::thread(
      [&state](ProcessOptions moved, Fd child_input, Fd child_output) {
        state.run(std::move(moved), std::move(child_input), std::move(child_output));
      },
      std::move(options), std::move(input.read_end), std::move(output.write_end));
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&state] { return state.settled; });
  if (state.start_failure) {
    lock.unlock();
    state.thread.join();
    std::rethrow_exception(state.start_failure);
  }
}

Process::~Process() {
  State& state = *state_;
  if (!state.thread.joinable()) return;
  {
    std::unique_lock lock(state.mutex);
    if (!state.wait_status) {
      // Its input is still open here: it dies before it could read an end of file.
      ::kill(state.pid, SIGTERM);
      const auto ended = [&state] { return state.wait_status.has_value(); };
      if (!state.changed.wait_for(lock, kMoment, ended)) ::kill(state.pid, SIGKILL);
    }
  }
  state.thread.join();
}

std::size_t Process::read(std::span<std::byte> out) {
  while (state_->output) {
    const ssize_t count = ::read(state_->output.get(), out.data(), out.size());
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) {
      state_->output.close();
      break;
    }
    if (errno != EAGAIN && errno != EINTR) throw_errno("cannot read from '" + state_->name + "'");
    state_->wait_for(state_->output, POLLIN);
  }
  wait();
  return 0;
}

Sink& Process::input() {
  if (!state_->input)
    throw Error(ErrorCode::failed, "'" + state_->name + "' was started without an input");
  return *state_->input;
}

void Process::wait() {
  wait_status();
  // Ctrl-C reaches the child too: what ended the run is the signal, not the child's complaint.
  const std::lock_guard lock(state_->mutex);
  const std::string failure = state_->failure();
  if (failure.empty()) return;
  check_interrupt();
  throw Error(ErrorCode::failed, failure);
}

int Process::wait_status() {
  std::unique_lock lock(state_->mutex);
  wait_interruptibly(state_->changed, lock, [this] {
    if (state_->wait_status) return true;
    state_->check_time_limit();
    return false;
  });
  const int status = *state_->wait_status;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void Process::kill() noexcept { state_->signal(SIGKILL); }

pid_t Process::pid() const { return state_->pid; }

std::string Process::error_output() const {
  const std::lock_guard lock(state_->mutex);
  return state_->error_tail;
}

std::string run_for_output(ProcessOptions options, std::size_t limit) {
  const std::string name = options.argv.empty() ? std::string() : options.argv.front();
  Process process(std::move(options));
  std::string output;
  Bytes buffer(std::min<std::size_t>(limit + 1, std::size_t{64} << 10));
  while (const std::size_t count = process.read(buffer)) {
    output.append(as_text(ByteView(buffer).first(count)));
    if (output.size() > limit)
      throw Error(ErrorCode::failed,
                  "'" + name + "' wrote more than " + std::to_string(limit) + " bytes");
  }
  return output;
}

}  // namespace bkp
