#include "config/config.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts(ErrorCode::usage, [&] {
    const Config config =
        parse_config(as_text(fuzz::view(data, size)), "/bkp.toml", 0644, Secrets::optional);
    fuzz::require(!config.cluster.empty() && !config.storages.empty());
    fuzz::require(config.copies_minimum >= 1 && config.copies_minimum <= config.storages.size());
    fuzz::require(config.key_file.is_absolute() && config.state_dir.is_absolute());
    for (const std::string& name : config.read_order) config.storage(name);
  });
  return 0;
}
