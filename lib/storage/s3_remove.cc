#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/interrupt.h"
#include "storage/s3_bucket.h"

namespace bkp {
namespace {

constexpr std::size_t kBatch = 1000;  // the most that DeleteObjects takes

// Names of one batch by their keys, sorted.
using Batch = std::map<std::string, Outcome*>;

class Removal {
 public:
  Removal(S3Bucket& bucket, const Batch& batch) : bucket_(bucket), batch_(batch) {}

  void run() {
    if (keeps_versions()) {
      remove_all(versions());
    } else {
      std::vector<S3Version> plain;
      for (const auto& [key, outcome] : batch_) plain.push_back({key, {}});
      remove_all(plain);
      if (made_marker_) {  // the bucket keeps versions after all
        bucket_.versions = S3Bucket::Versions::kept;
        remove_all(versions());
      }
    }
    for (const S3Upload& upload : list_uploads(bucket_, common_prefix(), {}))
      if (batch_.contains(upload.key)) abort_upload(bucket_.client, upload, {});
  }

 private:
  bool keeps_versions() {
    if (bucket_.versions == S3Bucket::Versions::unknown) {
      S3Request request;
      request.method = "GET";
      request.query = {{"versioning", ""}};
      request.accept = {403, 404, 405, 501};
      const std::string doing = "ask whether the bucket keeps versions";
      const HttpResponse response = bucket_.client.send(request, doing);
      bool kept = false;
      if (response.status == 200)
        kept = bucket_.client.parse(parse_versioning, response, doing);
      else if (parse_s3_error(response.body).code == "NoSuchBucket")
        bucket_.client.refuse(response, doing);
      bucket_.versions = kept ? S3Bucket::Versions::kept : S3Bucket::Versions::none;
    }
    return bucket_.versions == S3Bucket::Versions::kept;
  }

  // The longest string that all keys begin with.
  std::string common_prefix() const {
    const std::string& first = batch_.begin()->first;
    const std::string& last = batch_.rbegin()->first;
    const auto [end, other] = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
    return std::string(first.begin(), end);
  }

  // Every version and delete marker of the batch's keys. Pages that hold none of them are skipped:
  // the list goes on shortly before the next key of the batch.
  std::vector<S3Version> versions() {
    std::vector<S3Version> found;
    const std::string prefix = common_prefix();
    S3VersionPage page;
    const std::string doing = fmt::format("list the versions of '{}'", prefix);
    std::string skip_to = skip_before(batch_.begin()->first, prefix);
    do {
      S3Request request;
      request.method = "GET";
      request.query = {{"versions", ""}, {"prefix", prefix}};
      if (!skip_to.empty()) request.query.emplace_back("key-marker", skip_to);
      if (page.truncated && skip_to == page.next_key && !page.next_version.empty())
        request.query.emplace_back("version-id-marker", page.next_version);
      const S3VersionPage before = std::move(page);
      page = bucket_.client.parse(parse_list_versions, bucket_.client.send(request, doing), doing);
      if (page.truncated && page.next_key == before.next_key &&
          page.next_version == before.next_version)
        throw Error(ErrorCode::failed, fmt::format("storage '{}': the store's list does not go on",
                                                   bucket_.client.place().storage));
      for (S3Version& version : page.versions)
        if (batch_.contains(version.key)) found.push_back(std::move(version));
      if (!page.truncated) break;
      const auto next = batch_.lower_bound(page.next_key);
      if (next == batch_.end()) break;
      skip_to = std::max(page.next_key, skip_before(next->first, prefix));
    } while (true);
    return found;
  }

  // A marker that sorts before `key` with little in between; the list begins after a marker.
  static std::string skip_before(const std::string& key, const std::string& prefix) {
    std::string marker = key.substr(0, key.size() - 1);
    return marker.size() > prefix.size() ? marker : std::string();
  }

  void remove_all(const std::vector<S3Version>& objects) {
    for (std::size_t at = 0; at < objects.size(); at += kBatch) {
      const auto first = objects.begin() + static_cast<std::ptrdiff_t>(at);
      const std::vector<S3Version> some(
          first, first + static_cast<std::ptrdiff_t>(std::min(kBatch, objects.size() - at)));
      if (some.size() > 1 && bucket_.batch_deletes && remove_batch(some)) continue;
      for (const S3Version& object : some) remove_one(object);
    }
  }

  // False: the store has no such request.
  bool remove_batch(const std::vector<S3Version>& objects) {
    const std::string body = render_delete(objects);
    S3Request request;
    request.method = "POST";
    request.query = {{"delete", ""}};
    request.headers = {{"Content-Type", "application/xml"}};
    request.body = as_bytes(body);
    request.accept = {400, 405, 501};
    const std::string doing = fmt::format("remove {} objects", objects.size());
    const HttpResponse response = bucket_.client.send(request, doing);
    if (response.status != 200) {
      const std::string code = parse_s3_error(response.body).code;
      if (response.status == 400 && code != "MalformedXML" && code != "NotImplemented")
        bucket_.client.refuse(response, doing);
      bucket_.batch_deletes = false;
      return false;
    }
    const S3Deletion result = bucket_.client.parse(parse_delete, response, doing);
    made_marker_ |= result.made_marker;
    std::set<std::string> told;
    for (const S3Version& object : result.deleted) told.insert(object.key);
    for (const S3Deletion::Failure& failure : result.failures) {
      told.insert(failure.key);
      note_failure(failure);
    }
    for (const S3Version& object : objects)
      if (!told.contains(object.key)) remove_one(object);
    return true;
  }

  void note_failure(const S3Deletion::Failure& failure) {
    if (failure.error.code == "NoSuchKey" || failure.error.code == "NoSuchVersion") return;
    const auto found = batch_.find(failure.key);
    if (found == batch_.end()) return;
    found->second->error.emplace(
        ErrorCode::failed,
        fmt::format("storage '{}': cannot remove '{}': {}{}{}", bucket_.client.place().storage,
                    found->second->name, failure.error.code,
                    failure.error.message.empty() ? "" : ": ", failure.error.message));
  }

  void remove_one(const S3Version& object) {
    Outcome& outcome = *batch_.at(object.key);
    S3Request request;
    request.method = "DELETE";
    request.key = object.key;
    if (!object.version_id.empty()) request.query = {{"versionId", object.version_id}};
    request.accept = {404};
    try {
      const HttpResponse response =
          bucket_.client.send(request, fmt::format("remove '{}'", outcome.name));
      if (response.status == 404 && parse_s3_error(response.body).code == "NoSuchBucket")
        bucket_.client.refuse(response, fmt::format("remove '{}'", outcome.name));
      const std::string* marker = response.header("x-amz-delete-marker");
      made_marker_ |= object.version_id.empty() && marker != nullptr && *marker == "true";
    } catch (const StorageUnreachable&) {
      throw;
    } catch (const Error& error) {
      check_interrupt();
      outcome.error = error;
    }
  }

  S3Bucket& bucket_;
  const Batch& batch_;
  bool made_marker_ = false;
};

}  // namespace

std::vector<Outcome> remove_s3_objects(S3Bucket& bucket, std::span<const std::string> names) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(names.size());
  for (const std::string& name : names) outcomes.push_back({name, std::nullopt});
  for (std::size_t at = 0; at < outcomes.size(); at += kBatch) {
    Batch batch;
    for (std::size_t i = at; i < std::min(at + kBatch, outcomes.size()); ++i)
      batch.emplace(bucket.client.key_of(outcomes[i].name), &outcomes[i]);
    Removal(bucket, batch).run();
  }
  return outcomes;
}

}  // namespace bkp
