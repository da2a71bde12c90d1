#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/s3_bucket.h"

namespace bkp {
namespace {

// How often in a row an object's stream may break without a byte gained.
constexpr unsigned kFruitlessResumes = 4;

// Longer than any object: as good as no length.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;

std::string range_header(std::uint64_t from, std::uint64_t end) {
  return fmt::format("bytes={}-{}", from, end - 1);
}

// "bytes 10-19/100": where the answer begins and ends, and the object's size.
struct ContentRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
std::optional<ContentRange> parse_content_range(const HttpHead& head) {
  const std::string* text = head.header("content-range");
  if (text == nullptr || !text->starts_with("bytes ")) return std::nullopt;
  ContentRange range;
  const char* const stop = text->data() + text->size();
  const auto first = std::from_chars(text->data() + 6, stop, range.begin);
  if (first.ec != std::errc() || first.ptr == stop || *first.ptr != '-') return std::nullopt;
  const auto last = std::from_chars(first.ptr + 1, stop, range.end);
  if (last.ec != std::errc() || last.ptr == stop || *last.ptr != '/') return std::nullopt;
  ++range.end;
  return range;
}

class S3Source final : public Source {
 public:
  S3Source(std::shared_ptr<S3Bucket> bucket, std::string key, std::uint64_t begin,
           std::uint64_t end, std::string etag, std::unique_ptr<HttpStream> stream)
      : bucket_(std::move(bucket)),
        key_(std::move(key)),
        at_(begin),
        end_(end),
        etag_(std::move(etag)),
        stream_(std::move(stream)) {}

  std::size_t read(std::span<std::byte> out) override {
    while (at_ < end_) {
      if (const std::size_t count = try_read(out)) {
        at_ += count;
        fruitless_ = 0;
        return count;
      }
      resume();
    }
    stream_.reset();
    return 0;
  }

 private:
  // 0: the stream broke.
  std::size_t try_read(std::span<std::byte> out) {
    const std::uint64_t left = end_ - at_;
    try {
      const std::size_t count = stream_->read(
          out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left))));
      if (count > 0) return count;
      throw HttpFailure(HttpFailure::Kind::exchange, fmt::format("{} bytes are missing", left));
    } catch (const HttpFailure& failure) {
      if (failure.kind() == HttpFailure::Kind::stopped || ++fruitless_ > kFruitlessResumes)
        throw_failure(bucket_->client.place(), doing(), failure);
      return 0;
    }
  }

  void resume() {
    stream_.reset();
    S3Request request;
    request.method = "GET";
    request.key = key_;
    request.headers = {{"Range", range_header(at_, end_)}};
    if (!etag_.empty()) request.headers.emplace_back("If-Match", '"' + etag_ + '"');
    request.accept = {404, 412};
    stream_ = bucket_->client.open(request, doing());
    const HttpHead& head = stream_->head();
    const std::string* etag = head.header("etag");
    if (head.status == 404 || head.status == 412 ||
        (etag != nullptr && unquoted_etag(*etag) != etag_))
      throw Error(ErrorCode::failed, fmt::format("storage '{}': '{}' changed while it was read",
                                                 bucket_->client.place().storage, key_));
    const auto range = parse_content_range(head);
    if (head.status != 206 || !range || range->begin != at_ || range->end != end_)
      throw Error(ErrorCode::failed,
                  fmt::format("storage '{}': the store did not answer with the range of '{}' "
                              "that it was asked for",
                              bucket_->client.place().storage, key_));
  }

  std::string doing() const { return fmt::format("read '{}' from byte {}", key_, at_); }

  std::shared_ptr<S3Bucket> bucket_;
  std::string key_;
  std::uint64_t at_;
  std::uint64_t end_;
  std::string etag_;
  std::unique_ptr<HttpStream> stream_;
  unsigned fruitless_ = 0;
};

// Serves what needs no request for bytes: an empty range, of an object that may not be there.
std::unique_ptr<Source> open_empty(std::shared_ptr<S3Bucket> bucket, const std::string& key,
                                   std::uint64_t offset) {
  const auto head = head_object(bucket->client, key, {});
  if (!head) return nullptr;
  if (offset > head->size)
    throw Error(ErrorCode::failed,
                fmt::format("storage '{}': '{}' has {} bytes, none at {}",
                            bucket->client.place().storage, key, head->size, offset));
  return std::make_unique<S3Source>(std::move(bucket), key, offset, offset, head->etag, nullptr);
}

// True: there is no such object, by the store's own word. Anything may answer 404 (a proxy, an
// endpoint that is not S3), and "absent" decides what is deleted and where a recovery ends.
bool confirm_absent(const S3Client& client, const std::string& key, const HttpResponse& response,
                    std::string_view doing) {
  const std::string code = parse_s3_error(response.body).code;
  if (code == "NoSuchKey") return true;
  if (!code.empty()) client.refuse(response, doing);
  S3Request request;
  request.method = "GET";
  request.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", key}};
  const S3ListPage page = client.parse(parse_list_objects, client.send(request, doing), doing);
  for (const Object& object : page.objects)
    if (object.name == key) client.refuse(response, doing);
  return true;
}

}  // namespace

std::unique_ptr<Source> open_s3_source(std::shared_ptr<S3Bucket> bucket, std::string_view name,
                                       Range range) {
  const S3Client& client = bucket->client;
  const std::string key = client.key_of(name);
  if (range.length && *range.length > kNoLimit) range.length.reset();
  const std::uint64_t asked_end = range.length ? range.offset + *range.length : kNoLimit;
  if (range.length == 0) return open_empty(std::move(bucket), key, range.offset);
  const std::string doing = fmt::format("read '{}'", name);
  S3Request request;
  request.method = "GET";
  request.key = key;
  request.accept = {404, 416};
  if (range.length)
    request.headers = {{"Range", range_header(range.offset, asked_end)}};
  else if (range.offset > 0)
    request.headers = {{"Range", fmt::format("bytes={}-", range.offset)}};
  std::unique_ptr<HttpStream> stream = client.open(request, doing);
  const HttpHead& head = stream->head();
  if (head.status == 404) {
    confirm_absent(client, key, whole_response(*stream), doing);
    return nullptr;
  }
  if (head.status == 416) return open_empty(std::move(bucket), key, range.offset);

  const std::string* etag = head.header("etag");
  const std::string tag = etag == nullptr ? std::string() : unquoted_etag(*etag);
  const auto part = parse_content_range(head);
  std::uint64_t end = 0;
  if (head.status == 206 && part && part->begin == range.offset) {
    end = std::min(part->end, asked_end);
  } else if (head.status == 200 && range.offset == 0) {  // the whole, asked for or not
    end = content_length(client, head, key);
    end = std::min(end, asked_end);
  } else {
    throw Error(ErrorCode::failed,
                fmt::format("storage '{}': the store did not answer with the range of '{}' that "
                            "it was asked for",
                            client.place().storage, key));
  }
  return std::make_unique<S3Source>(std::move(bucket), key, range.offset, end, tag,
                                    std::move(stream));
}

}  // namespace bkp
