#include "pg/archive_reader.h"

#include "pg/archive_parser.h"

namespace bkp {

struct ArchiveReader::State {
  Source& from;
  ArchiveParser parser;
  bool ended = false;
};

ArchiveReader::ArchiveReader(Source& from, Digests digests)
    : state_(new State{from, ArchiveParser(digests)}) {}

ArchiveReader::~ArchiveReader() = default;

std::size_t ArchiveReader::read(std::span<std::byte> out) {
  if (state_->ended) return 0;
  const std::size_t count = state_->from.read(out);
  if (count != 0) {
    state_->parser.feed(out.first(count));
  } else {
    state_->parser.finish();
    state_->ended = true;
  }
  return count;
}

const ArchiveContents& ArchiveReader::contents() const { return state_->parser.contents(); }

std::string ArchiveReader::current_table() const { return state_->parser.current_table(); }

}  // namespace bkp
