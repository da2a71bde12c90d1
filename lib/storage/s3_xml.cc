#include "storage/s3_xml.h"

#include <fmt/format.h>

#include <charconv>
#include <pugixml.hpp>
#include <sstream>

namespace bkp {
namespace {

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorCode::failed, fmt::format("the store's answer cannot be understood: {}", what));
}

// Stores differ in the namespace prefix they use, so names are compared without one.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node& node : parent.children())
    if (local_name(node) == name) return node;
  return {};
}

std::string text_of(const pugi::xml_node& parent, std::string_view name) {
  return child(parent, name).text().get();
}

std::string required(const pugi::xml_node& parent, std::string_view name) {
  std::string text = text_of(parent, name);
  if (text.empty()) refuse(fmt::format("'{}' without '{}'", parent.name(), name));
  return text;
}

class Document {
 public:
  Document(ByteView body, std::string_view root) {
    const pugi::xml_parse_result result = document_.load_buffer(body.data(), body.size());
    if (!result) refuse(fmt::format("no '{}': {}", root, result.description()));
    root_ = document_.document_element();
    if (local_name(root_) != root) refuse(fmt::format("'{}' instead of '{}'", root_.name(), root));
  }
  const pugi::xml_node& root() const { return root_; }

 private:
  pugi::xml_document document_;
  pugi::xml_node root_;
};

bool truncated(const pugi::xml_node& root) {
  const std::string text = text_of(root, "IsTruncated");
  if (text != "true" && text != "false" && !text.empty())
    refuse(fmt::format("'IsTruncated' is '{}'", text));
  return text == "true";
}

Object parse_object(const pugi::xml_node& node) {
  Object object;
  object.name = required(node, "Key");
  const std::string size = required(node, "Size");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
  if (error != std::errc() || end != size.data() + size.size())
    refuse(fmt::format("size '{}'", size));
  object.modified = parse_rfc3339(required(node, "LastModified"));
  object.etag = unquoted_etag(text_of(node, "ETag"));
  return object;
}

TimePoint time_if_told(const pugi::xml_node& node, const char* name) {
  const std::string text = text_of(node, name);
  return text.empty() ? TimePoint::max() : parse_rfc3339(text);
}

S3Version parse_version(const pugi::xml_node& node) {
  S3Version version;
  version.key = required(node, "Key");
  version.version_id = required(node, "VersionId");
  version.modified = time_if_told(node, "LastModified");
  version.latest = text_of(node, "IsLatest") == "true";
  version.marker = local_name(node) == "DeleteMarker";
  const std::string size = text_of(node, "Size");
  std::from_chars(size.data(), size.data() + size.size(), version.size);
  return version;
}

S3ErrorBody parse_error_node(const pugi::xml_node& node) {
  return {text_of(node, "Code"), text_of(node, "Message"), text_of(node, "Region")};
}

std::string rendered(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw | pugi::format_no_declaration);
  return out.str();
}

}  // namespace

std::string unquoted_etag(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

S3ErrorBody parse_s3_error(ByteView body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size())) return {};
  const pugi::xml_node root = document.document_element();
  if (local_name(root) != "Error") return {};
  return parse_error_node(root);
}

S3ListPage parse_list_objects(ByteView body) {
  const Document document(body, "ListBucketResult");
  S3ListPage page;
  for (const pugi::xml_node& node : document.root().children())
    if (local_name(node) == "Contents") page.objects.push_back(parse_object(node));
  if (truncated(document.root())) page.next = required(document.root(), "NextContinuationToken");
  return page;
}

S3VersionPage parse_list_versions(ByteView body) {
  const Document document(body, "ListVersionsResult");
  S3VersionPage page;
  for (const pugi::xml_node& node : document.root().children())
    if (local_name(node) == "Version" || local_name(node) == "DeleteMarker")
      page.versions.push_back(parse_version(node));
  page.truncated = truncated(document.root());
  if (page.truncated) page.next_key = required(document.root(), "NextKeyMarker");
  page.next_version = text_of(document.root(), "NextVersionIdMarker");
  return page;
}

S3UploadPage parse_list_uploads(ByteView body) {
  const Document document(body, "ListMultipartUploadsResult");
  S3UploadPage page;
  for (const pugi::xml_node& node : document.root().children())
    if (local_name(node) == "Upload")
      page.uploads.push_back(
          {required(node, "Key"), required(node, "UploadId"), time_if_told(node, "Initiated")});
  page.truncated = truncated(document.root());
  if (page.truncated) page.next_key = required(document.root(), "NextKeyMarker");
  page.next_upload = text_of(document.root(), "NextUploadIdMarker");
  return page;
}

bool parse_has_parts(ByteView body) {
  return bool(child(Document(body, "ListPartsResult").root(), "Part"));
}

std::string parse_upload_id(ByteView body) {
  return required(Document(body, "InitiateMultipartUploadResult").root(), "UploadId");
}

S3Completion parse_complete(ByteView body) {
  S3ErrorBody error = parse_s3_error(body);
  if (!error.code.empty()) return {{}, std::move(error)};
  const Document document(body, "CompleteMultipartUploadResult");
  return {unquoted_etag(text_of(document.root(), "ETag")), std::nullopt};
}

S3Deletion parse_delete(ByteView body) {
  const Document document(body, "DeleteResult");
  S3Deletion result;
  for (const pugi::xml_node& node : document.root().children()) {
    if (local_name(node) == "Deleted") {
      result.deleted.push_back({required(node, "Key"), text_of(node, "VersionId")});
      // With a version named, "DeleteMarker" tells what kind of version went.
      if (text_of(node, "DeleteMarker") == "true" && !child(node, "VersionId"))
        result.made_marker = true;
    } else if (local_name(node) == "Error" && !text_of(node, "Key").empty()) {
      result.failures.push_back({text_of(node, "Key"), parse_error_node(node)});
    }
  }
  return result;
}

bool parse_versioning(ByteView body) {
  return !text_of(Document(body, "VersioningConfiguration").root(), "Status").empty();
}

std::string render_complete(const std::vector<std::string>& etags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (std::size_t i = 0; i < etags.size(); ++i) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(static_cast<unsigned long>(i + 1));
    part.append_child("ETag").text().set(('"' + etags[i] + '"').c_str());
  }
  return rendered(document);
}

std::string render_delete(const std::vector<S3Version>& objects) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  for (const S3Version& object : objects) {
    pugi::xml_node node = root.append_child("Object");
    node.append_child("Key").text().set(object.key.c_str());
    if (!object.version_id.empty())
      node.append_child("VersionId").text().set(object.version_id.c_str());
  }
  return rendered(document);
}

}  // namespace bkp
