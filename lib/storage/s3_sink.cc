#include <fmt/format.h>

#include "storage/s3_bucket.h"
#include "storage/s3_writer.h"

namespace bkp {
namespace {

// Collects less than a part in memory; whole parts in the caller's memory are sent from there.
class S3Sink final : public Sink, public Advancing {
 public:
  S3Sink(std::shared_ptr<S3Bucket> bucket, std::string_view name, CreateOptions options)
      : bucket_(std::move(bucket)),
        part_size_(bucket_->client.options().part_size),
        if_exists_(options.if_exists),
        writer_(*bucket_, name, std::move(options.stop)) {}

  ~S3Sink() override { writer_.discard(); }

  void write(ByteView data) override {
    while (!data.empty()) {
      if (buffer_.empty() && data.size() >= part_size_) {
        writer_.send_part(data.first(part_size_));
        data = data.subspan(part_size_);
        continue;
      }
      // Reserved memory costs nothing before it is written to; growing would hold it twice.
      if (buffer_.capacity() == 0) buffer_.reserve(part_size_);
      const ByteView taken = data.first(std::min(data.size(), part_size_ - buffer_.size()));
      append(buffer_, taken);
      data = data.subspan(taken.size());
      if (buffer_.size() == part_size_) {
        writer_.send_part(buffer_);
        buffer_.clear();
      }
    }
  }

  void finish() override {
    if (!writer_.begun()) {
      writer_.put(buffer_, if_exists_);
    } else {
      if (!buffer_.empty()) writer_.send_part(buffer_);
      writer_.complete(if_exists_);
    }
    buffer_ = {};
  }

  std::uint64_t advanced() const override { return writer_.sent(); }

 private:
  std::shared_ptr<S3Bucket> bucket_;
  std::size_t part_size_;
  IfExists if_exists_;
  S3Writer writer_;
  Bytes buffer_;
};

}  // namespace

std::unique_ptr<Sink> make_s3_sink(std::shared_ptr<S3Bucket> bucket, std::string_view name,
                                   CreateOptions options) {
  return std::make_unique<S3Sink>(std::move(bucket), name, std::move(options));
}

}  // namespace bkp
