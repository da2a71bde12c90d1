#include <fmt/format.h>

#include <set>

#include "base/interrupt.h"
#include "storage/s3.h"
#include "storage/s3_bucket.h"

namespace bkp {
namespace {

// Every version whose key begins with `prefix`; nothing of a bucket that keeps none.
std::vector<S3Version> list_versions(S3Bucket& bucket, const std::string& prefix) {
  std::vector<S3Version> all;
  S3VersionPage page;
  const std::string doing = fmt::format("list the versions of '{}'", prefix);
  do {
    S3Request request;
    request.method = "GET";
    request.query = {{"versions", ""}, {"prefix", prefix}};
    if (page.truncated) request.query.emplace_back("key-marker", page.next_key);
    if (page.truncated && !page.next_version.empty())
      request.query.emplace_back("version-id-marker", page.next_version);
    request.accept = {405, 501};  // a store without versions
    const HttpResponse response = bucket.client.send(request, doing);
    if (response.status != 200) return {};
    const S3VersionPage before = std::move(page);
    page = bucket.client.parse(parse_list_versions, response, doing);
    if (page.truncated && page.next_key == before.next_key &&
        page.next_version == before.next_version)
      throw Error(ErrorCode::failed, fmt::format("storage '{}': the store's list does not go on",
                                                 bucket.client.place().storage));
    all.insert(all.end(), page.versions.begin(), page.versions.end());
  } while (page.truncated);
  return all;
}

std::optional<Error> send_removal(const S3Client& client, const S3Request& request,
                                  const std::string& doing) {
  try {
    client.send(request, doing);
    return std::nullopt;
  } catch (const StorageUnreachable&) {
    throw;
  } catch (const Error& error) {
    check_interrupt();
    return error;
  }
}

}  // namespace

std::vector<Leftover> S3Storage::leftovers(std::string_view prefix) {
  const S3Client& client = bucket_->client;
  const std::string key_prefix = client.key_of(prefix);
  std::vector<Leftover> found;
  for (const S3Upload& upload : list_uploads(*bucket_, key_prefix, {}))
    if (auto name = client.name_of(upload.key))
      found.push_back(
          {Leftover::Kind::upload, std::move(*name), 0, upload.initiated, upload.upload_id});
  const std::vector<S3Version> versions = list_versions(*bucket_, key_prefix);
  std::set<std::string> live;
  for (const S3Version& version : versions)
    if (version.latest && !version.marker) live.insert(version.key);
  for (const S3Version& version : versions) {
    if (version.latest && !version.marker) continue;
    auto name = client.name_of(version.key);
    if (!name) continue;
    const auto kind =
        live.contains(version.key) ? Leftover::Kind::superseded : Leftover::Kind::hidden;
    found.push_back({kind, std::move(*name), version.size, version.modified, version.version_id});
  }
  return found;
}

std::optional<Error> S3Storage::discard(const Leftover& leftover) {
  const S3Client& client = bucket_->client;
  S3Request request;
  request.method = "DELETE";
  request.key = client.key_of(leftover.name);
  request.accept = {404};
  if (leftover.kind == Leftover::Kind::upload) {
    request.query = {{"uploadId", leftover.token}};
    return send_removal(client, request, fmt::format("abort the upload of '{}'", leftover.name));
  }
  request.query = {{"versionId", leftover.token}};
  return send_removal(client, request, fmt::format("remove a version of '{}'", leftover.name));
}

}  // namespace bkp
