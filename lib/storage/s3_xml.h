// The XML of the S3 API: its answers, parsed strictly where bkp relies on them, and the bodies of
// its requests. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/storage.h"

namespace bkp {

// Keys are those of the bucket, with any prefix. All parse functions but parse_s3_error() throw
// Error(failed) for a document that is cut, is another one, or lacks what is asked for.

struct S3ErrorBody {
  std::string code;     // empty: the body told none
  std::string message;  // may be empty beside a code (RGW)
  std::string region;   // of AuthorizationHeaderMalformed: the one that would be right
};
// Whatever can be read from the body of a refusal, which may be empty, cut, or no XML at all.
S3ErrorBody parse_s3_error(ByteView body);

struct S3ListPage {
  std::vector<Object> objects;
  std::optional<std::string> next;  // the token for the next page
};
S3ListPage parse_list_objects(ByteView body);

struct S3Version {
  std::string key;
  std::string version_id;
  // Only of lists; of a store that does not tell, `modified` is far in the future.
  TimePoint modified = TimePoint::max();
  std::uint64_t size = 0;
  bool latest = false;
  bool marker = false;  // a delete marker: from there on back the object is hidden
};
struct S3VersionPage {
  std::vector<S3Version> versions;  // delete markers among them
  bool truncated = false;
  std::string next_key;
  std::string next_version;
};
S3VersionPage parse_list_versions(ByteView body);

struct S3Upload {
  std::string key;
  std::string upload_id;
  TimePoint initiated = TimePoint::max();  // far in the future: the store did not tell
};
struct S3UploadPage {
  std::vector<S3Upload> uploads;
  bool truncated = false;
  std::string next_key;
  std::string next_upload;
};
S3UploadPage parse_list_uploads(ByteView body);

// Whether the upload has any part.
bool parse_has_parts(ByteView body);
std::string parse_upload_id(ByteView body);
// The object's ETag without quotes (empty: the store told none, as Ceph 16), or the error that came
// with status 200.
struct S3Completion {
  std::string etag;
  std::optional<S3ErrorBody> error;
};
S3Completion parse_complete(ByteView body);

struct S3Deletion {
  struct Failure {
    std::string key;
    S3ErrorBody error;
  };
  std::vector<S3Version> deleted;  // version_id as asked for, empty where none was
  std::vector<Failure> failures;   // without the empty elements that some stores add
  bool made_marker = false;        // the bucket keeps versions: the delete hid an object
};
S3Deletion parse_delete(ByteView body);

// "Enabled" or "Suspended": deletes have to name versions.
bool parse_versioning(ByteView body);

std::string render_complete(const std::vector<std::string>& etags);
std::string render_delete(const std::vector<S3Version>& objects);

// An ETag as headers and lists give it, without its quotes.
std::string unquoted_etag(std::string_view etag);

}  // namespace bkp
