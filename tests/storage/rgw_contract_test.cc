#include "storage/s3_fixture.h"

using bkp::test::RgwDriver;
#define STORAGE_FIXTURES RgwDriver
#include "storage/contract.h"
