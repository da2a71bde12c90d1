#include "net/sigv4.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "crypto/digest.h"

using namespace bkp;

namespace {

constexpr const char* kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(const SigV4Signature& signed_request) {
  const std::string& text = signed_request.authorization;
  return text.substr(text.rfind('=') + 1);
}

struct Example {
  const char* title;
  SigV4Request request;
  const char* signature;
};

// The examples of "Signature calculations for the authorization header" in Amazon's S3 manual.
std::vector<Example> s3_examples() {
  const auto headers = [](const char* payload,
                          std::vector<std::pair<std::string, std::string>> more) {
    more.emplace_back("Host", "examplebucket.s3.amazonaws.com");
    more.emplace_back("x-amz-content-sha256", payload);
    more.emplace_back("x-amz-date", "20130524T000000Z");
    return more;
  };
  const char* welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  return {
      {"GET object",
       {"GET", "/test.txt", {}, headers(kEmptySha256, {{"Range", "bytes=0-9"}}), kEmptySha256},
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"PUT object",
       {"PUT",
        percent_encode("/test$file.text", Slash::keep),
        {},
        headers(welcome, {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                          {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}),
        welcome},
       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
      {"GET bucket lifecycle",
       {"GET", "/", {{"lifecycle", ""}}, headers(kEmptySha256, {}), kEmptySha256},
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"list objects",
       {"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, headers(kEmptySha256, {}), kEmptySha256},
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
}

}  // namespace

TEST_CASE("signatures are those of Amazon's S3 examples") {
  const Secret secret(std::string_view("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
  const TimePoint time = parse_rfc3339("2013-05-24T00:00:00Z");
  for (const Example& example : s3_examples()) {
    INFO(example.title);
    const SigV4Signature made =
        sign_v4(example.request, {"AKIAIOSFODNN7EXAMPLE", secret, "us-east-1", "s3"}, time);
    CHECK(signature_of(made) == example.signature);
    CHECK_THAT(made.authorization,
               Catch::StartsWith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
                                 "us-east-1/s3/aws4_request, SignedHeaders="));
  }
}

TEST_CASE("signatures are those of Amazon's test suite") {
  const Secret secret(std::string_view("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
  const SigV4Scope scope{"AKIDEXAMPLE", secret, "us-east-1", "service"};
  const TimePoint time = parse_rfc3339("2015-08-30T12:36:00Z");
  SigV4Request request{"GET",
                       "/",
                       {},
                       {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
                       kEmptySha256};
  SECTION("get-vanilla") {
    const SigV4Signature made = sign_v4(request, scope, time);
    CHECK(made.canonical_request ==
          "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n" +
              std::string(kEmptySha256));
    CHECK(made.string_to_sign ==
          "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
          "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
    CHECK(made.authorization ==
          "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
          "SignedHeaders=host;x-amz-date, "
          "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  }
  SECTION("get-vanilla-query-order-key-case") {
    request.query = {{"Param2", "value2"}, {"Param1", "value1"}};
    CHECK(signature_of(sign_v4(request, scope, time)) ==
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  }
}

TEST_CASE("every byte that is signed changes the signature") {
  const Secret secret(std::string_view("secret"));
  const Secret other(std::string_view("secreT"));
  const TimePoint time = parse_rfc3339("2015-08-30T12:36:00Z");
  const SigV4Request base{"GET", "/b/k", {{"a", "1"}}, {{"host", "h"}, {"range", "r"}}, "00"};
  const std::string plain = signature_of(sign_v4(base, {"k", secret, "r", "s3"}, time));
  std::vector<SigV4Request> changed(6, base);
  changed[0].method = "PUT";
  changed[1].path = "/b/K";
  changed[2].query = {{"a", "2"}};
  changed[3].headers[0].second = "H";
  changed[4].headers.pop_back();
  changed[5].payload_sha256 = "01";
  for (const SigV4Request& request : changed)
    CHECK(signature_of(sign_v4(request, {"k", secret, "r", "s3"}, time)) != plain);
  CHECK(signature_of(sign_v4(base, {"k", other, "r", "s3"}, time)) != plain);
  CHECK(signature_of(sign_v4(base, {"k", secret, "q", "s3"}, time)) != plain);
  CHECK(signature_of(sign_v4(base, {"k", secret, "r", "s3"}, time + std::chrono::seconds(1))) !=
        plain);
}

TEST_CASE("queries are sorted and encoded in the one way that a signature has") {
  CHECK(canonical_query({}) == "");
  CHECK(canonical_query({{"uploads", ""}}) == "uploads=");
  CHECK(canonical_query({{"prefix", "a/b c+d"}, {"list-type", "2"}}) ==
        "list-type=2&prefix=a%2Fb%20c%2Bd");
  CHECK(percent_encode("\xc3\xa9~/", Slash::keep) == "%C3%A9~/");
}
