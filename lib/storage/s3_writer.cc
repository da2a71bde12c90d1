#include "storage/s3_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkp {
namespace {

using std::chrono::milliseconds;

// A store puts an object of thousands of parts together before it answers.
constexpr milliseconds kCompletionStall{180'000};
// How often a name may be taken and freed by others under a writer before it gives up.
constexpr int kRaces = 3;

S3Patience brief_patience() {
  S3Patience patience;
  patience.tries = 2;
  patience.limit = milliseconds(3'000);
  patience.on_signal = OnSignal::go_on;
  return patience;
}

bool is_not_implemented(const HttpResponse& response) { return response.status == 501; }

}  // namespace

S3Writer::S3Writer(S3Bucket& bucket, std::string_view name, std::stop_token stop)
    : bucket_(bucket),
      name_(name),
      key_(bucket.client.key_of(name)),
      stop_(std::move(stop)),
      doing_(fmt::format("write '{}'", name)) {}

S3Request S3Writer::request(std::string_view method) {
  S3Request request;
  request.method = method;
  request.key = key_;
  request.patience.stop = stop_;
  request.sent = &sent_;
  return request;
}

void S3Writer::fail_existing() const {
  throw Error(ErrorCode::failed,
              fmt::format("storage '{}': '{}' exists already and holds other bytes",
                          bucket_.client.place().storage, name_));
}

void S3Writer::fail_unconfirmed() const {
  throw Error(ErrorCode::failed, fmt::format("storage '{}': the store did not confirm '{}'",
                                             bucket_.client.place().storage, name_));
}

std::string S3Writer::etag_of(const HttpResponse& response) const {
  const std::string* etag = response.header("etag");
  if (etag == nullptr || unquoted_etag(*etag).empty()) fail_unconfirmed();
  return unquoted_etag(*etag);
}

void S3Writer::put(ByteView body, IfExists if_exists) {
  const S3Digests digests = digests_of(body);
  parts_ = {{"", digests, body.size()}};
  size_ = body.size();
  for (int race = 0; race < kRaces; ++race) {
    const bool guarded = if_exists == IfExists::fail;
    const bool conditional = guarded && bucket_.conditional_puts;
    if (guarded && !conditional && !require_free()) return;
    const HttpResponse response = try_put(body, digests, conditional);
    if (response.status == 0) return;  // seen to be there
    if (conditional && is_not_implemented(response)) {
      bucket_.conditional_puts = false;
    } else if (response.status == 412) {
      const Existing existing = examine(0);
      if (existing == Existing::same) return;
      if (existing == Existing::other) fail_existing();
    } else {
      stored_etag_ = etag_of(response);
      if (guarded && !conditional) require_ours();
      return;
    }
  }
  fail_existing();
}

HttpResponse S3Writer::try_put(ByteView body, const S3Digests& digests, bool conditional) {
  S3Request put = request("PUT");
  put.body = body;
  put.digests = digests;
  put.settled = [this] { return examine(1) == Existing::same; };
  if (conditional) {
    put.headers = {{"If-None-Match", "*"}};
    put.accept = {412, 501};
  }
  return bucket_.client.send(put, doing_);
}

void S3Writer::begin() {
  S3Request create = request("POST");
  create.query = {{"uploads", ""}};
  create.repeat = HttpRequest::Repeat::never;  // each try begins an upload
  create.settled = [this] {
    strays_ = true;
    return false;
  };
  upload_id_ = bucket_.client.parse(parse_upload_id, bucket_.client.send(create, doing_), doing_);
  multipart_ = true;
}

void S3Writer::send_part(ByteView body) {
  if (!begun()) begin();
  S3Request put = request("PUT");
  put.query = {{"partNumber", std::to_string(parts_.size() + 1)}, {"uploadId", upload_id_}};
  put.body = body;
  put.digests = digests_of(body);
  const HttpResponse response = bucket_.client.send(put, doing_);
  parts_.push_back({etag_of(response), *put.digests, body.size()});
  size_ += body.size();
}

void S3Writer::complete(IfExists if_exists) {
  std::vector<std::string> etags;
  for (const Part& part : parts_) etags.push_back(part.etag);
  const std::string body = render_complete(etags);
  const bool guarded = if_exists == IfExists::fail;
  for (int race = 0; race < kRaces; ++race) {
    // Always: stores that check the condition of a PUT may ignore that of a completion.
    if (guarded && !require_free()) return;
    const bool conditional = guarded && bucket_.conditional_puts;
    const HttpResponse response = try_complete(body, conditional);
    if (conditional && is_not_implemented(response)) {
      bucket_.conditional_puts = false;
    } else if (response.status == 412) {
      const Existing existing = examine(0);
      if (existing == Existing::same) return;  // discard() aborts the upload
      if (existing == Existing::other) fail_existing();
    } else if (completion_succeeded(response)) {
      upload_id_.clear();
      if (guarded) require_ours();
      return;
    }
  }
  throw StorageUnreachable(ErrorCode::failed,
                           fmt::format("storage '{}': cannot {}: the store does not complete it",
                                       bucket_.client.place().storage, doing_));
}

HttpResponse S3Writer::try_complete(const std::string& body, bool conditional) {
  S3Request post = request("POST");
  post.query = {{"uploadId", upload_id_}};
  post.headers = {{"Content-Type", "application/xml"}};
  post.body = as_bytes(body);
  post.patience.stall = kCompletionStall;
  post.settled = [this] { return examine(1) == Existing::same; };
  post.accept = {404};
  if (conditional) {
    post.headers.emplace_back("If-None-Match", "*");
    post.accept = {404, 412, 501};
  }
  return bucket_.client.send(post, doing_);
}

// Status 200 may come with an error in the body, and 404 with an upload that is gone because an
// earlier try, whose answer was lost, completed it.
bool S3Writer::completion_succeeded(const HttpResponse& response) {
  if (response.status == 0) return true;
  if (response.status == 404) {
    if (examine(0) == Existing::same) return true;
    bucket_.client.refuse(response, doing_);
  }
  const S3Completion completion = bucket_.client.parse(parse_complete, response, doing_);
  stored_etag_ = completion.etag;
  if (!stored_etag_.empty() || examine(0) == Existing::same) return true;
  if (!completion.error) fail_unconfirmed();
  if (!is_passing(response, *completion.error)) bucket_.client.refuse(response, doing_);
  return false;
}

// False: an object of the same bytes is there already.
bool S3Writer::require_free() {
  const Existing existing = examine(0);
  if (existing == Existing::other) fail_existing();
  return existing == Existing::none;
}

void S3Writer::require_ours() {
  if (examine(0) == Existing::other) fail_existing();
}

S3Writer::Existing S3Writer::examine(unsigned tries) {
  S3Patience patience;
  patience.tries = tries;
  patience.stop = stop_;
  try {
    const auto head = head_object(bucket_.client, key_, patience);
    if (!head) return Existing::none;
    if (head->size != size_) return Existing::other;
    const bool known =
        head->etag == expected_etag() || (!stored_etag_.empty() && head->etag == stored_etag_);
    if (known || same_content()) return Existing::same;
    return Existing::other;
  } catch (const Error&) {
    if (tries != 1 || stop_.stop_requested()) throw;
    return Existing::none;  // not known: the caller tries what it was about to do
  }
}

std::string S3Writer::expected_etag() const {
  if (!multipart_) return to_hex(parts_.front().digests.md5);
  Bytes all;
  for (const Part& part : parts_) append(all, part.digests.md5);
  return fmt::format("{}-{}", to_hex(md5(all)), parts_.size());
}

// For ETags that are no MD5, or of other parts: reads the object back, to its first difference.
bool S3Writer::same_content() {
  const std::unique_ptr<Source> source = open_s3_source(bucket_.shared_from_this(), name_, {});
  if (!source) return false;
  Bytes buffer(std::size_t{256} << 10);
  for (const Part& part : parts_) {
    Sha256 digest;
    for (std::uint64_t left = part.size; left > 0;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
      const std::size_t count = source->read(std::span(buffer).first(want));
      if (count == 0) return false;
      digest.update(ByteView(buffer).first(count));
      left -= count;
    }
    if (digest.finish() != part.digests.sha256) return false;
  }
  return source->read(buffer) == 0;
}

// A lost answer to the beginning of an upload leaves one that nobody knows. It has no part; one of
// another writer of this name has, or soon will.
void S3Writer::abort_strays(const S3Patience& patience) {
  for (const S3Upload& upload : list_uploads(bucket_, key_, patience)) {
    if (upload.key != key_ || upload.upload_id == upload_id_) continue;
    S3Request parts = request("GET");
    parts.query = {{"uploadId", upload.upload_id}};
    parts.patience = patience;
    parts.accept = {404, 405, 501};
    const HttpResponse response = bucket_.client.send(parts, doing_);
    if (response.status == 200 && !bucket_.client.parse(parse_has_parts, response, doing_))
      abort_upload(bucket_.client, upload, patience);
  }
}

void S3Writer::discard() noexcept {
  const S3Patience patience = brief_patience();
  try {
    if (begun()) abort_upload(bucket_.client, {key_, upload_id_}, patience);
    if (strays_) abort_strays(patience);
  } catch (const std::exception&) {
    // remove() and the store's own rules find what is left.
  }
}

}  // namespace bkp
