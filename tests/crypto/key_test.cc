#include "crypto/key.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

namespace {

Key256 key_of(std::string_view hex) { return Key256(ByteView(from_hex(hex))); }

MasterKey master(KeyState state) { return generate_master_key(state, TimePoint{}); }

ErrorCode code_of_unwrap(const KeyRing& ring, const std::vector<KeySlot>& slots) {
  try {
    ring.unwrap(slots);
  } catch (const Error& error) {
    return error.code();
  }
  return static_cast<ErrorCode>(0);
}

}  // namespace

TEST_CASE("keys are derived by HKDF-SHA256 as RFC 5869 computes it") {
  // Appendix A.3: no salt, no info; the first 32 of its 42 bytes.
  const Key256 input(ByteView(Bytes(22, std::byte{0x0b})));
  CHECK(to_hex(derive_key(input, "").reveal()) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST_CASE("another label or another master key gives another key") {
  const Key256 one = random_key();
  const Key256 two = random_key();
  CHECK(to_hex(one.reveal()) != to_hex(two.reveal()));
  CHECK(one.reveal().size() == 32);
  CHECK(to_hex(derive_key(one, "a").reveal()) != to_hex(derive_key(one, "b").reveal()));
  CHECK(to_hex(derive_key(one, "a").reveal()) != to_hex(derive_key(two, "a").reveal()));
}

TEST_CASE("a slot is AES key wrap under the master key's wrapping key") {
  // RFC 3394 section 4.6 wraps with 00…1f itself; here that vector pins the algorithm through a
  // slot computed by an independent program from a master key of 00…1f.
  MasterKey key{Uuid::random(),
                KeyState::active,
                {},
                key_of("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")};
  const KeyRing ring({key});
  const Key256 secret = key_of("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
  const KeySlot slot = ring.wrap(secret);
  CHECK(slot.type == SlotType::aes256_master);
  CHECK(slot.key_id == key.id);
  CHECK(to_hex(slot.wrapped) ==
        "0fdc0ceaec74b2d59cc816788af36331b1a31166b08f341584f03e2d4fa5bf0f71322721d4a13315");
  CHECK(to_hex(ring.unwrap(std::vector{slot}).reveal()) == to_hex(secret.reveal()));
}

TEST_CASE("one key of a ring is active, and no id is there twice") {
  const MasterKey active = master(KeyState::active);
  CHECK_NOTHROW(KeyRing({active, master(KeyState::retired), master(KeyState::standby)}));
  CHECK_THROWS_AS(KeyRing(std::vector<MasterKey>{}), Error);
  CHECK_THROWS_AS(KeyRing({master(KeyState::retired)}), Error);
  CHECK_THROWS_AS(KeyRing({active, master(KeyState::active)}), Error);
  MasterKey twin = master(KeyState::retired);
  twin.id = active.id;
  CHECK_THROWS_AS(KeyRing({active, twin}), Error);
  MasterKey brief = active;
  brief.secret = Key256(std::string_view("too short"));
  CHECK_THROWS_AS(KeyRing({brief}), Error);
  CHECK_THROWS_AS(KeyRing().active(), Error);
}

TEST_CASE("what an older key wrapped opens as long as that key is in the ring") {
  MasterKey old = master(KeyState::active);
  const Key256 secret = random_key();
  const KeySlot slot = KeyRing({old}).wrap(secret);
  old.state = KeyState::retired;
  const KeyRing both({master(KeyState::active), old});
  CHECK(to_hex(both.unwrap(std::vector{slot}).reveal()) == to_hex(secret.reveal()));
  CHECK(both.wrap(secret).key_id != old.id);

  const KeyRing stranger({master(KeyState::active)});
  try {
    stranger.unwrap(std::vector{slot});
    FAIL("opened");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::failed);
    CHECK(error.message().find(old.id.text()) != std::string::npos);
  }
  // Any slot that opens is enough; those of unknown keys are passed over.
  CHECK(to_hex(both.unwrap(std::vector{stranger.wrap(random_key()), slot}).reveal()) ==
        to_hex(secret.reveal()));
}

TEST_CASE("a slot that was changed does not open, another one still may") {
  const KeyRing ring({master(KeyState::active)});
  const KeySlot slot = ring.wrap(random_key());
  for (std::size_t at = 0; at < slot.wrapped.size(); ++at) {
    KeySlot damaged = slot;
    damaged.wrapped[at] ^= std::byte{0x10};
    CHECK(code_of_unwrap(ring, {damaged}) == ErrorCode::integrity);
    CHECK(code_of_unwrap(ring, {damaged, slot}) == static_cast<ErrorCode>(0));
  }
  for (const std::size_t size : {0, 8, 32, 39, 41, 48}) {
    KeySlot damaged = slot;
    damaged.wrapped.resize(size);
    CHECK(code_of_unwrap(ring, {damaged}) == ErrorCode::integrity);
  }
  CHECK(code_of_unwrap(ring, {}) == ErrorCode::failed);
  KeySlot later = slot;
  later.type = SlotType::x25519;
  CHECK(code_of_unwrap(ring, {later}) == ErrorCode::failed);
}
