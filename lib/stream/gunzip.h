// A gzip file as a stream of its plain bytes: for what others compressed whole, at any size.
#pragma once

#include <memory>
#include <string>

#include "stream/stream.h"

namespace bkp {

class GunzipSource final : public Source {
 public:
  // `name` is for messages.
  GunzipSource(Source& from, std::string name);
  ~GunzipSource() override;
  // Throws Error(integrity) where the stream is no gzip, is damaged, ends early, or goes on with
  // something else.
  std::size_t read(std::span<std::byte> out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
