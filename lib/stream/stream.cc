#include "stream/stream.h"

#include "base/interrupt.h"

namespace bkp {

std::uint64_t copy_into(Source& from, Sink& to) {
  Bytes buffer(std::size_t{256} << 10);
  std::uint64_t total = 0;
  while (const std::size_t count = from.read(buffer)) {
    check_interrupt();
    to.write(ByteView(buffer).first(count));
    total += count;
  }
  return total;
}

std::uint64_t copy(Source& from, Sink& to) {
  const std::uint64_t total = copy_into(from, to);
  to.finish();
  return total;
}

}  // namespace bkp
