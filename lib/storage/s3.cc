#include "storage/s3.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/s3_bucket.h"

namespace bkp {
namespace {

constexpr int kNotFound = 404;

[[noreturn]] void fail_endless(const S3Client& client) {
  throw Error(ErrorCode::failed,
              fmt::format("storage '{}': the store's list does not go on", client.place().storage));
}

bool is_unsupported(int status) { return status == 501 || status == 405 || status == kNotFound; }

}  // namespace

std::uint64_t content_length(const S3Client& client, const HttpHead& head, std::string_view key) {
  const std::string* length = head.header("content-length");
  if (length == nullptr || length->empty() ||
      length->find_first_not_of("0123456789") != std::string::npos || length->size() > 18)
    throw Error(ErrorCode::failed,
                fmt::format("storage '{}': the store does not tell the size of '{}'",
                            client.place().storage, key));
  return std::stoull(*length);
}

std::optional<S3Head> head_object(const S3Client& client, const std::string& key,
                                  const S3Patience& patience) {
  S3Request request;
  request.method = "HEAD";
  request.key = key;
  request.accept = {kNotFound};
  request.patience = patience;
  const HttpResponse response = client.send(request, fmt::format("look at '{}'", key));
  if (response.status == kNotFound) return std::nullopt;
  const std::string* etag = response.header("etag");
  return S3Head{content_length(client, response, key),
                etag == nullptr ? std::string() : unquoted_etag(*etag)};
}

std::vector<S3Upload> list_uploads(S3Bucket& bucket, const std::string& prefix,
                                   const S3Patience& patience) {
  std::vector<S3Upload> uploads;
  S3Request request;
  request.method = "GET";
  request.accept = {kNotFound, 405, 501};
  request.patience = patience;
  const std::string doing = fmt::format("list the unfinished uploads of '{}'", prefix);
  S3UploadPage page;
  do {
    if (!bucket.lists_uploads) return uploads;
    request.query = {{"uploads", ""}, {"prefix", prefix}};
    if (page.truncated)
      request.query.insert(request.query.end(),
                           {{"key-marker", page.next_key}, {"upload-id-marker", page.next_upload}});
    const HttpResponse response = bucket.client.send(request, doing);
    if (is_unsupported(response.status)) {
      if (parse_s3_error(response.body).code == "NoSuchBucket")
        bucket.client.refuse(response, doing);
      bucket.lists_uploads = false;
      return uploads;
    }
    const S3UploadPage before = std::move(page);
    page = bucket.client.parse(parse_list_uploads, response, doing);
    if (page.truncated && page.next_key == before.next_key &&
        page.next_upload == before.next_upload)
      fail_endless(bucket.client);
    uploads.insert(uploads.end(), page.uploads.begin(), page.uploads.end());
  } while (page.truncated);
  return uploads;
}

void abort_upload(const S3Client& client, const S3Upload& upload, const S3Patience& patience) {
  S3Request request;
  request.method = "DELETE";
  request.key = upload.key;
  request.query = {{"uploadId", upload.upload_id}};
  request.accept = {kNotFound};  // aborted already, the answer was lost
  request.patience = patience;
  client.send(request, fmt::format("abort the upload of '{}'", upload.key));
}

S3Storage::S3Storage(const StorageConfig& config, S3Options options)
    : bucket_(std::make_shared<S3Bucket>(config, std::move(options))) {
  if (config.provider == "b2") bucket_->versions = S3Bucket::Versions::kept;
}

std::unique_ptr<Sink> S3Storage::create(std::string_view name, CreateOptions options) {
  check_object_name(name);
  return make_s3_sink(bucket_, name, std::move(options));
}

std::unique_ptr<Source> S3Storage::open(std::string_view name, Range range) {
  check_object_name(name);
  return open_s3_source(bucket_, name, range);
}

std::vector<Object> S3Storage::list(std::string_view prefix) {
  const S3Client& client = bucket_->client;
  S3Request request;
  request.method = "GET";
  std::vector<Object> objects;
  std::optional<std::string> token;
  const std::string doing = fmt::format("list '{}'", prefix);
  do {
    request.query = {{"list-type", "2"},
                     {"max-keys", std::to_string(client.options().list_page)},
                     {"prefix", client.key_of(prefix)}};
    if (token) request.query.emplace_back("continuation-token", *token);
    const HttpResponse response = client.send(request, doing);
    S3ListPage page = client.parse(parse_list_objects, response, doing);
    for (Object& object : page.objects)
      if (auto name = client.name_of(object.name)) {
        object.name = std::move(*name);
        objects.push_back(std::move(object));
      }
    if (page.next && page.next == token) fail_endless(client);
    token = std::move(page.next);
  } while (token);
  std::sort(objects.begin(), objects.end(),
            [](const Object& a, const Object& b) { return a.name < b.name; });
  return objects;
}

std::vector<Outcome> S3Storage::remove(std::span<const std::string> names) {
  for (const std::string& name : names) check_object_name(name);
  return remove_s3_objects(*bucket_, names);
}

StorageInfo S3Storage::info() {
  const S3Client& client = bucket_->client;
  S3Request request;
  request.method = "GET";
  request.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", client.key_of("")}};
  const HttpResponse response = client.send(request, "reach the store");
  client.parse(parse_list_objects, response, "reach the store");
  StorageInfo info;
  info.name = client.place().storage;
  info.location = client.place().location;
  if (const std::string* date = response.header("date")) info.clock = parse_http_date(*date);
  return info;
}

}  // namespace bkp
