#include "storage/s3_fixture.h"

using bkp::test::SwiftDriver;
#define STORAGE_FIXTURES SwiftDriver
#include "storage/contract.h"
