// One stream to many sinks at once, each failing alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "stream/stream.h"

namespace bkp {

struct Leg {
  std::string name;
  // Called in the leg's own thread before the first block. A blocked call must end soon after the
  // token asks for it.
  std::function<std::unique_ptr<Sink>(std::stop_token)> open;
};

struct LegResult {
  std::string name;
  std::exception_ptr error;  // null: its sink finished, all bytes are there
  bool ok() const { return !error; }
};

struct FanOutOptions {
  // Blocks are shared by all legs. Small, so that disks begin early and a leg that lags holds
  // little; a sink that needs more at once (a part of an upload) collects it.
  std::size_t block_size = std::size_t{4} << 20;
  // Blocks held in memory at the most; and one more for each leg that lags behind a buffer.
  std::size_t window = 4;
  std::chrono::milliseconds stall{30'000};  // see below
  // How long a leg may take to open once another has all of the stream: a storage that does not
  // answer at all is told sooner from one that is slow.
  std::chrono::milliseconds open_stall{10'000};
};

// Each leg has its own thread and takes shared blocks from one window. A leg that fails is dropped
// with its reason; the others go on. A leg whose sink is Rereadable is the others' buffer: a block
// that is in its file need not stay in memory, so a slow leg never holds up the stream. (What it
// took before it failed can still be read back: its sink lives as long as another leg needs it.)
// With no such leg, one that takes nothing for `stall` while another waits for more is dropped.
// Moving is to complete a block, or what a sink that is Advancing tells.
class FanOut final : public Sink {
 public:
  FanOut(std::vector<Leg> legs, FanOutOptions options);
  // Stops the legs (their sinks are destroyed unfinished, unless finish() had been called and a leg
  // had finished its own) and joins their threads.
  ~FanOut() override;

  // Throws Error(failed) naming each leg's reason once no leg is left.
  void write(ByteView data) override;
  // No more will come. Returns at once: the source is free to end while slow legs still send.
  void finish() override;
  // After finish(): waits for every leg to be durable or to fail; results in the order of legs.
  // Once another leg is done, one that has moved nothing for `stall` (four times that in its sink's
  // finish()) is stopped. Throws only for a signal.
  std::vector<LegResult> wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
