#include "storage/s3_xml.h"

#include <catch2/catch.hpp>

using namespace bkp;

namespace {

const std::string kList =
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    "<Name>b</Name><IsTruncated>true</IsTruncated>"
    "<Contents><Key>a/1</Key><LastModified>2026-11-20T02:00:00.123Z</LastModified>"
    "<ETag>&quot;abc-2&quot;</ETag><Size>17</Size></Contents>"
    "<Contents><Key>a&amp;2</Key><LastModified>2026-11-20T02:00:01Z</LastModified>"
    "<Size>0</Size></Contents>"
    "<NextContinuationToken>t+/=</NextContinuationToken></ListBucketResult>";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a list of objects is parsed") {
  const S3ListPage page = parse_list_objects(as_bytes(kList));
  REQUIRE(page.objects.size() == 2);
  CHECK(page.objects[0].name == "a/1");
  CHECK(page.objects[0].size == 17);
  CHECK(page.objects[0].etag == "abc-2");
  CHECK(format_utc(page.objects[0].modified) == "2026-11-20T02:00:00.123000Z");
  CHECK(page.objects[1].name == "a&2");
  CHECK(page.next == "t+/=");
  CHECK_FALSE(parse_list_objects(as_bytes(replaced(kList, "true", "false"))).next);
}

TEST_CASE("a list that is damaged is refused, never shortened") {
  const std::pair<const char*, std::string> damaged[] = {
      {"empty", ""},
      {"cut in an element", kList.substr(0, kList.size() / 2)},
      {"cut before the end", kList.substr(0, kList.size() - 5)},
      {"another document", "<Error><Code>InternalError</Code></Error>"},
      {"a web page", "<html><body>It works!</body></html>"},
      {"no XML", "ok"},
      {"no key", replaced(kList, "<Key>a/1</Key>", "")},
      {"empty key", replaced(kList, "a/1", "")},
      {"no size", replaced(kList, "<Size>17</Size>", "")},
      {"negative size", replaced(kList, ">17<", ">-17<")},
      {"size with a unit", replaced(kList, ">17<", ">17K<")},
      {"size too large", replaced(kList, ">17<", ">99999999999999999999<")},
      {"no time", replaced(kList, "2026-11-20T02:00:00.123Z", "")},
      {"bad time", replaced(kList, "2026-11-20T02:00:00.123Z", "yesterday")},
      {"truncated neither way", replaced(kList, ">true<", ">maybe<")},
      {"goes on without a token", replaced(kList, "t+/=", "")}};
  for (const auto& [title, text] : damaged) {
    INFO(title);
    CHECK_THROWS_AS(parse_list_objects(as_bytes(text)), Error);
  }
}

TEST_CASE("versions and delete markers are listed alike") {
  const std::string text =
      "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>"
      "<NextVersionIdMarker>9</NextVersionIdMarker>"
      "<Version><Key>a</Key><VersionId>null</VersionId></Version>"
      "<DeleteMarker><Key>b</Key><VersionId>2</VersionId></DeleteMarker></ListVersionsResult>";
  const S3VersionPage page = parse_list_versions(as_bytes(text));
  REQUIRE(page.versions.size() == 2);
  CHECK(page.versions[0].version_id == "null");
  CHECK(page.versions[1].key == "b");
  CHECK(page.truncated);
  CHECK(page.next_key == "b");
  CHECK(page.next_version == "9");
  CHECK_THROWS_AS(parse_list_versions(as_bytes(replaced(text, "<VersionId>2</VersionId>", ""))),
                  Error);
  CHECK_THROWS_AS(
      parse_list_versions(as_bytes(replaced(text, "<NextKeyMarker>b</NextKeyMarker>", ""))), Error);
  CHECK_THROWS_AS(parse_list_versions(as_bytes(kList)), Error);
}

TEST_CASE("unfinished uploads are listed") {
  const std::string text =
      "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
      "<NextUploadIdMarker>u</NextUploadIdMarker><Upload><Key>k</Key><UploadId>u</UploadId>"
      "</Upload></ListMultipartUploadsResult>";
  const S3UploadPage page = parse_list_uploads(as_bytes(text));
  REQUIRE(page.uploads.size() == 1);
  CHECK(page.uploads[0].upload_id == "u");
  CHECK(page.next_upload == "u");
  CHECK_THROWS_AS(parse_list_uploads(as_bytes(replaced(text, "<UploadId>u</UploadId>", ""))),
                  Error);
  CHECK(parse_has_parts(as_bytes("<ListPartsResult><Part/></ListPartsResult>")));
  CHECK_FALSE(parse_has_parts(as_bytes("<ListPartsResult><Bucket>b</Bucket></ListPartsResult>")));
  CHECK(parse_upload_id(as_bytes("<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                                 "</InitiateMultipartUploadResult>")) == "2~x");
  CHECK_THROWS_AS(parse_upload_id(as_bytes("<InitiateMultipartUploadResult/>")), Error);
}

TEST_CASE("a completion is its ETag, or the error that came with status 200") {
  const auto good = parse_complete(
      as_bytes("<?xml version=\"1.0\"?>\n\n   <CompleteMultipartUploadResult><ETag>\"a-1\"</ETag>"
               "</CompleteMultipartUploadResult>"));
  CHECK(good.etag == "a-1");
  CHECK_FALSE(good.error);
  const auto bad = parse_complete(as_bytes("<Error><Code>InternalError</Code></Error>"));
  REQUIRE(bad.error);
  CHECK(bad.error->code == "InternalError");
  CHECK(parse_complete(as_bytes("<CompleteMultipartUploadResult><ETag/>"
                                "</CompleteMultipartUploadResult>"))
            .etag.empty());
  CHECK_THROWS_AS(parse_complete({}), Error);
  CHECK_THROWS_AS(parse_complete(as_bytes("<Error/>")), Error);
}

TEST_CASE("an error's body is read as far as it can be") {
  const auto code_of = [](std::string_view text) { return parse_s3_error(as_bytes(text)).code; };
  CHECK(code_of("<Error><Code>NoSuchKey</Code><Message></Message></Error>") == "NoSuchKey");
  CHECK(code_of("<s3:Error xmlns:s3=\"x\"><s3:Code>NoSuchKey</s3:Code></s3:Error>") == "NoSuchKey");
  CHECK(parse_s3_error(as_bytes("<Error><Region>eu-1</Region></Error>")).region == "eu-1");
  for (const char* text : {"", " ", "<Error/>", "<Error><Code/></Error>", "<Error><Code>x", "oops",
                           "<html><Code>x</Code></html>", "{\"code\": 1}"}) {
    INFO(text);
    CHECK(code_of(text).empty());
  }
}

TEST_CASE("a batch delete tells what became of each key") {
  const auto result = parse_delete(
      as_bytes("<DeleteResult><Deleted><Key>a</Key></Deleted><Error/>"
               "<Error><Key>b</Key><Code>AccessDenied</Code></Error>"
               "<Deleted><Key>c</Key><VersionId>1</VersionId><DeleteMarker>true</DeleteMarker>"
               "</Deleted></DeleteResult>"));
  REQUIRE(result.deleted.size() == 2);
  CHECK(result.deleted[1].version_id == "1");
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].key == "b");
  CHECK(result.failures[0].error.code == "AccessDenied");
  CHECK_FALSE(result.made_marker);
  CHECK(parse_delete(as_bytes("<DeleteResult><Deleted><Key>a</Key><DeleteMarker>true"
                              "</DeleteMarker></Deleted></DeleteResult>"))
            .made_marker);
  CHECK_THROWS_AS(parse_delete(as_bytes("<DeleteResult><Deleted/></DeleteResult>")), Error);
}

TEST_CASE("request bodies are as the API has them") {
  CHECK(render_complete({"a", "b"}) ==
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag></Part></CompleteMultipartUpload>");
  CHECK(render_delete({{"a&b", ""}, {"c", "1"}}) ==
        "<Delete><Object><Key>a&amp;b</Key></Object>"
        "<Object><Key>c</Key><VersionId>1</VersionId></Object></Delete>");
  CHECK(
      parse_versioning(as_bytes("<VersioningConfiguration><Status>Suspended</Status>"
                                "</VersioningConfiguration>")));
  CHECK_FALSE(parse_versioning(as_bytes("<VersioningConfiguration/>")));
  CHECK(unquoted_etag("\"a\"") == "a");
  CHECK(unquoted_etag("a") == "a");
  CHECK(unquoted_etag("\"") == "\"");
}
