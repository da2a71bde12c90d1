#include "stream/fan_out.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/units.h"

namespace bkp {
namespace {

using Moment = std::chrono::steady_clock::time_point;
using Block = std::shared_ptr<const Bytes>;

constexpr std::chrono::milliseconds kTurn{100};  // how often a wait looks for signals and stalls
constexpr int kFinishPatience = 4;  // × stall: a store assembles the parts of an object

Moment now() { return std::chrono::steady_clock::now(); }

}  // namespace

struct FanOut::State {
  enum class Doing { open, wait, write, finish, nothing };

  struct Runner {
    Leg leg;
    std::thread thread;
    std::stop_source stop;
    // Below: guarded by the mutex.
    Doing doing = Doing::open;
    Moment since = now();    // when it began what it is doing
    std::uint64_t next = 0;  // the first block that its sink has not taken
    std::shared_ptr<Sink> sink;
    const Rereadable* buffer = nullptr;    // its sink, while blocks can be read back from it
    const Advancing* advancing = nullptr;  // its sink, if it tells of the advance within a write()
    std::uint64_t advanced = 0;            // what it told last
    std::string stop_reason;               // not empty: it was asked to stop
    std::exception_ptr error;
    bool gone = false;  // its thread has nothing more to do

    bool live() const { return doing != Doing::nothing; }
  };

  explicit State(FanOutOptions fan_out_options) : options(fan_out_options) {}
  ~State();

  const FanOutOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Runner>> runners;
  std::deque<Block> window;  // blocks base … end - 1
  std::uint64_t base = 0;
  std::uint64_t end = 0;
  std::uint64_t published_bytes = 0;
  bool finished = false;
  Bytes building;  // the producer's own

  // In a leg's thread.
  void run(Runner& runner);
  void transfer(Runner& runner);
  Block next_block(Runner& runner);
  Block read_back(std::unique_lock<std::mutex>& lock, std::uint64_t index);
  void passed_block(Runner& runner);

  // With the mutex held.
  static void begin(Runner& runner, Doing what);
  static bool stalled(Runner& runner, Moment since, std::chrono::milliseconds patience);
  bool in_a_buffer(std::uint64_t index) const;
  std::vector<std::shared_ptr<Sink>> release();
  std::chrono::milliseconds patience(const Runner& runner) const;
  std::size_t live_legs() const;
  bool live_buffer() const;
  std::vector<Runner*> holding_up_the_stream() const;
  std::vector<Runner*> holding_up_the_end() const;

  void wait_for_room();
  void publish();
  void stop(std::unique_lock<std::mutex>& lock, const std::vector<Runner*>& whom,
            const std::string& reason);
  [[noreturn]] void throw_all_failed() const;
};

FanOut::State::~State() {
  {
    std::unique_lock lock(mutex);
    std::vector<Runner*> all;
    for (const auto& runner : runners)
      if (runner->live()) all.push_back(runner.get());
    stop(lock, all, "stopped");
  }
  for (const auto& runner : runners)
    if (runner->thread.joinable()) runner->thread.join();
}

void FanOut::State::run(Runner& runner) {
  block_stop_signals();
  std::exception_ptr error;
  try {
    const StopScope scope(runner.stop.get_token());
    transfer(runner);
  } catch (...) {
    error = std::current_exception();
  }
  std::vector<std::shared_ptr<Sink>> released;
  {
    const std::lock_guard lock(mutex);
    if (error && !runner.stop_reason.empty())
      error = std::make_exception_ptr(
          Error(ErrorCode::failed, runner.stop_reason + ": " + describe(error)));
    runner.error = error;
    runner.advancing = nullptr;
    begin(runner, Doing::nothing);
    released = release();
  }
  changed.notify_all();
  {
    // Here and not under the mutex: leaving nothing behind may take a request to a store.
    const InterruptShield shield;
    released.clear();
  }
  {
    const std::lock_guard lock(mutex);
    runner.gone = true;
  }
  changed.notify_all();
}

void FanOut::State::transfer(Runner& runner) {
  std::shared_ptr<Sink> sink = runner.leg.open(runner.stop.get_token());
  {
    const std::lock_guard lock(mutex);
    runner.sink = sink;
    runner.buffer = dynamic_cast<const Rereadable*>(sink.get());
    runner.advancing = dynamic_cast<const Advancing*>(sink.get());
  }
  while (Block block = next_block(runner)) {
    sink->write(*block);
    block.reset();
    passed_block(runner);
  }
  sink->finish();
}

// Null at the end of the stream.
Block FanOut::State::next_block(Runner& runner) {
  std::unique_lock lock(mutex);
  begin(runner, Doing::wait);
  changed.wait(lock, [&] { return !runner.stop_reason.empty() || runner.next < end || finished; });
  if (!runner.stop_reason.empty()) throw Error(ErrorCode::failed, "between two blocks");
  if (runner.next == end) {
    begin(runner, Doing::finish);
    return nullptr;
  }
  begin(runner, Doing::write);
  if (runner.next >= base) return window[static_cast<std::size_t>(runner.next - base)];
  return read_back(lock, runner.next);
}

Block FanOut::State::read_back(std::unique_lock<std::mutex>& lock, std::uint64_t index) {
  const std::uint64_t offset = index * options.block_size;
  auto block = std::make_shared<Bytes>(static_cast<std::size_t>(
      std::min<std::uint64_t>(options.block_size, published_bytes - offset)));
  std::vector<std::pair<std::shared_ptr<Sink>, const Rereadable*>> holders;
  for (const auto& runner : runners)
    if (runner->buffer != nullptr && runner->next > index)
      holders.emplace_back(runner->sink, runner->buffer);
  lock.unlock();
  for (std::size_t i = 0;; ++i) {
    try {
      holders.at(i).second->read_back(offset, *block);
      return block;
    } catch (const Error&) {
      if (i + 1 == holders.size()) throw;
    }
  }
}

void FanOut::State::passed_block(Runner& runner) {
  std::vector<std::shared_ptr<Sink>> released;
  {
    const std::lock_guard lock(mutex);
    ++runner.next;
    released = release();
  }
  changed.notify_all();
}

void FanOut::State::begin(Runner& runner, Doing what) {
  runner.doing = what;
  runner.since = now();
}

// Asks the sink, so that a slow line is told from a dead one.
bool FanOut::State::stalled(Runner& runner, Moment since, std::chrono::milliseconds patience) {
  if (runner.advancing != nullptr) {
    const std::uint64_t advanced = runner.advancing->advanced();
    if (std::exchange(runner.advanced, advanced) != advanced) runner.since = now();
  }
  return now() - std::max(runner.since, since) >= patience;
}

bool FanOut::State::in_a_buffer(std::uint64_t index) const {
  return std::any_of(runners.begin(), runners.end(), [index](const auto& runner) {
    return runner->buffer != nullptr && runner->next > index;
  });
}

// Lets go of the blocks that nobody needs in memory, and of the sinks of ended legs from which
// nobody will read back. The latter are the caller's to destroy, without the mutex.
std::vector<std::shared_ptr<Sink>> FanOut::State::release() {
  std::uint64_t slowest = end;
  for (const auto& runner : runners)
    if (runner->live()) slowest = std::min(slowest, runner->next);
  while (!window.empty() && (base < slowest || in_a_buffer(base))) {
    window.pop_front();
    ++base;
  }
  std::vector<std::shared_ptr<Sink>> released;
  for (const auto& runner : runners) {
    if (runner->live() || !runner->sink) continue;
    if (runner->buffer != nullptr && runner->next > slowest) continue;
    runner->buffer = nullptr;
    released.push_back(std::move(runner->sink));
  }
  return released;
}

std::chrono::milliseconds FanOut::State::patience(const Runner& runner) const {
  if (runner.doing == Doing::open) return std::min(options.stall, options.open_stall);
  return (runner.doing == Doing::finish ? kFinishPatience : 1) * options.stall;
}

std::size_t FanOut::State::live_legs() const {
  return static_cast<std::size_t>(std::count_if(runners.begin(), runners.end(),
                                                [](const auto& runner) { return runner->live(); }));
}

bool FanOut::State::live_buffer() const {
  return std::any_of(runners.begin(), runners.end(), [](const auto& runner) {
    return runner->live() && runner->buffer != nullptr;
  });
}

// Those that took nothing for `stall` while another leg waited for more all that time.
std::vector<FanOut::State::Runner*> FanOut::State::holding_up_the_stream() const {
  // A buffer goes at the speed of its disk, and with one nobody else holds up anything.
  if (live_buffer()) return {};
  Moment other_waits_since = Moment::max();
  for (const auto& runner : runners)
    if (runner->doing == Doing::wait && runner->next == end)
      other_waits_since = std::min(other_waits_since, runner->since);
  std::vector<Runner*> found;
  if (other_waits_since == Moment::max()) return found;
  for (const auto& runner : runners)
    if ((runner->doing == Doing::open || runner->doing == Doing::write) &&
        stalled(*runner, other_waits_since, options.stall))
      found.push_back(runner.get());
  return found;
}

// Those that moved nothing for `stall`, once another leg has all of the stream.
std::vector<FanOut::State::Runner*> FanOut::State::holding_up_the_end() const {
  std::vector<Runner*> found;
  if (std::none_of(runners.begin(), runners.end(),
                   [](const auto& runner) { return !runner->live() && !runner->error; }))
    return found;
  for (const auto& runner : runners) {
    if ((runner->doing == Doing::open || runner->doing == Doing::write ||
         runner->doing == Doing::finish) &&
        stalled(*runner, Moment::min(), patience(*runner)))
      found.push_back(runner.get());
  }
  return found;
}

// Before a block is begun, so that the one being built counts as one of the window.
void FanOut::State::wait_for_room() {
  std::unique_lock lock(mutex);
  for (;;) {
    if (live_legs() == 0) throw_all_failed();
    if (window.size() < std::max<std::size_t>(options.window, 1)) return;
    changed.wait_for(lock, kTurn);
    check_interrupt();
    stop(lock, holding_up_the_stream(),
         "kept the stream waiting for " + format_duration(options.stall));
  }
}

void FanOut::State::publish() {
  {
    const std::lock_guard lock(mutex);
    published_bytes += building.size();
    window.push_back(std::make_shared<const Bytes>(std::exchange(building, {})));
    ++end;
  }
  changed.notify_all();
}

void FanOut::State::stop(std::unique_lock<std::mutex>& lock, const std::vector<Runner*>& whom,
                         const std::string& reason) {
  std::vector<std::stop_source> sources;
  for (Runner* runner : whom) {
    if (!runner->stop_reason.empty()) continue;
    runner->stop_reason = reason;
    sources.push_back(runner->stop);
  }
  if (sources.empty()) return;
  // Without the mutex: this calls back into sinks.
  lock.unlock();
  for (std::stop_source& source : sources) source.request_stop();
  changed.notify_all();
  lock.lock();
}

void FanOut::State::throw_all_failed() const {
  std::string reasons;
  for (const auto& runner : runners)
    reasons +=
        (reasons.empty() ? "'" : "; '") + runner->leg.name + "' failed: " + describe(runner->error);
  throw Error(ErrorCode::failed, reasons);
}

FanOut::FanOut(std::vector<Leg> legs, FanOutOptions options)
    : state_(std::make_unique<State>(options)) {
  State& state = *state_;
  for (Leg& leg : legs) {
    state.runners.push_back(std::make_unique<State::Runner>());
    state.runners.back()->leg = std::move(leg);
  }
  for (const auto& runner : state.runners)
    runner->thread = std::thread([&state, runner = runner.get()] { state.run(*runner); });
}

FanOut::~FanOut() = default;

void FanOut::write(ByteView data) {
  State& state = *state_;
  while (!data.empty()) {
    if (state.building.empty()) {
      state.wait_for_room();
      state.building.reserve(state.options.block_size);
    }
    const std::size_t take =
        std::min(data.size(), state.options.block_size - state.building.size());
    append(state.building, data.first(take));
    data = data.subspan(take);
    if (state.building.size() == state.options.block_size) state.publish();
  }
}

void FanOut::finish() {
  State& state = *state_;
  if (!state.building.empty()) state.publish();
  {
    const std::lock_guard lock(state.mutex);
    state.finished = true;
  }
  state.changed.notify_all();
}

std::vector<LegResult> FanOut::wait() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const auto all_gone = [&state] {
    return std::all_of(state.runners.begin(), state.runners.end(),
                       [](const auto& runner) { return runner->gone; });
  };
  while (!state.changed.wait_for(lock, kTurn, all_gone)) {
    check_interrupt();
    state.stop(lock, state.holding_up_the_end(),
               "moved nothing for " + format_duration(state.options.stall));
  }
  std::vector<LegResult> results;
  for (const auto& runner : state.runners) results.push_back({runner->leg.name, runner->error});
  return results;
}

}  // namespace bkp
