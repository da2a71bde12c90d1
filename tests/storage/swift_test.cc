// What this store refuses and others do not.
#include <catch2/catch.hpp>

#include "storage/s3_fixture.h"

using namespace bkp;
using namespace bkp::test;

TEST_CASE("a wrong region is named with the right one") {
  StorageConfig config = S3Server::swift().config();
  config.region = "mars-1";
  S3Storage storage(config, quick_options());
  try {
    storage.info();
    FAIL("no error");
  } catch (const Error& error) {
    CHECK_THAT(error.message(), Catch::Contains("the region 'mars-1' is not the store's"));
    CHECK(error.hint() == "set region = \"us-east-1\" in [[storage]] 's3'");
  }
}

TEST_CASE("a wrong secret and an unknown key are told apart from no bucket") {
  StorageConfig config = S3Server::swift().config();
  SECTION("secret") {
    config.secret_key = Secret(std::string_view("wrong"));
    CHECK_THROWS_WITH(S3Storage(config, quick_options()).info(),
                      Catch::Contains("the secret key does not belong to the access key"));
  }
  SECTION("key") {
    config.access_key = Secret(std::string_view("bkp:nobody"));
    CHECK_THROWS_AS(S3Storage(config, quick_options()).info(), Error);
  }
  SECTION("bucket") {
    config.bucket = "no-such-bucket";
    CHECK_THROWS_WITH(S3Storage(config, quick_options()).info(),
                      Catch::Contains("there is no bucket 'no-such-bucket'"));
  }
}
