/* SPDX-License-Identifier: GPL-2.0-only */
#include "form.h"
#include "judge.h"

#define BIT(name) (1ull << FEATURE_##name)

uint64_t features_offered(void)
{
	static const struct {
		uint32_t leaf;
		uint8_t reg, bit;
	} places[] = {
#define FEATURE_PLACE(name, leaf, reg, bit) { leaf, reg, bit },
		FEATURES(FEATURE_PLACE)
#undef FEATURE_PLACE
	};
	uint64_t ret = 0;

	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		uint32_t r[4];

		__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(places[i].leaf), "c"(0));
		if (r[places[i].reg] >> places[i].bit & 1)
			ret |= 1ull << i;
	}
	return ret;
}

static uint64_t needed_one(const struct form *form)
{
	if ((form->opcode & 0xfe) == 0xc6 && form->modrm == 0xf8) /* xabort, xbegin */
		return BIT(NONE);
	return (form->opcode & 0xfe) == 0x9e ? BIT(LAHF) : 0;
}

/* fisttp */
static uint64_t needed_x87(const struct form *form)
{
	return form->memory && form_reg(form) == 1 && (form->opcode == 0xdb || form->opcode == 0xdd || form->opcode == 0xdf) ? BIT(SSE3) : 0;
}

static uint64_t needed_0f(const struct form *form)
{
	const unsigned reg = form_reg(form);

	switch (form->opcode) {
	case 0x01:
		return form->modrm == 0xca || form->modrm == 0xcb ? BIT(SMAP) :
		       form->modrm == 0xd0 || form->modrm == 0xd1 ? BIT(XSAVE) :
		       form->modrm == 0xd5 || form->modrm == 0xd6 ? BIT(NONE) : 0;
	case 0x12: case 0x16:
		return form->rep ? BIT(SSE3) : 0;
	case 0x2b:
		return form->rep ? BIT(SSE4A) : 0;
	case 0x7c: case 0x7d: case 0xd0: case 0xf0:
		return BIT(SSE3);
	case 0x78: case 0x79:
		return BIT(SSE4A);
	case 0xb8:
		return BIT(POPCNT);
	case 0xae:
		if (form->memory && form->pp == PP_NONE && (reg == 4 || reg == 5))
			return BIT(XSAVE);
		if (!form->memory && form->rep == 0xf3 && reg < 4)
			return BIT(FSGSBASE);
		if (form->memory && form->pp == PP_66)
			return reg == 7 ? BIT(CLFLUSHOPT) : reg == 6 ? BIT(CLWB) : 0;
		return 0;
	case 0xc7:
		return form->w ? BIT(CX16) : 0;
	default:
		return 0;
	}
}

static uint64_t needed_0f38(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	if (opcode < 0x0c || (opcode >= 0x1c && opcode < 0x1f))
		return BIT(SSSE3);
	if (opcode == 0x37)
		return BIT(SSE42);
	if (opcode < 0x42)
		return BIT(SSE41);
	if (opcode == 0x82)
		return BIT(INVPCID);
	if (opcode >= 0xc8 && opcode < 0xce)
		return BIT(SHA);
	if (opcode == 0xcf)
		return BIT(GFNI);
	if (opcode >= 0xf8 || opcode == 0xd8 || (opcode >= 0xdc && opcode < 0xe0 && form->rep == 0xf3)) /* movdiri, key locker */
		return BIT(NONE);
	if (opcode >= 0xdb && opcode < 0xe0)
		return BIT(AES);
	if ((opcode & 0xfe) == 0xf0)
		return form->rep == 0xf2 ? BIT(SSE42) : BIT(MOVBE);
	return opcode == 0xf6 ? BIT(ADX) : 0;
}

static uint64_t needed_0f3a(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	if (opcode == 0x0f)
		return BIT(SSSE3);
	if (opcode == 0x44)
		return BIT(PCLMUL);
	if ((opcode & 0xfc) == 0x60)
		return BIT(SSE42);
	if (opcode == 0xcc)
		return BIT(SHA);
	if ((opcode & 0xfe) == 0xce)
		return BIT(GFNI);
	return opcode == 0xdf ? BIT(AES) : BIT(SSE41);
}

/* Of AVX-512's masks. */
static bool is_mask_vex1(uint8_t opcode)
{
	return (opcode >= 0x41 && opcode <= 0x4b) || (opcode >= 0x90 && opcode <= 0x93) || opcode == 0x98 || opcode == 0x99;
}

/* Of extensions behind AVX2: AVX-VNNI, AMX, AVX-NE-CONVERT, AVX-IFMA, SHA512, SM3, SM4, CMPCCXADD */
static bool is_later_vex2(uint8_t opcode)
{
	return (opcode >= 0x48 && opcode <= 0x57) || (opcode >= 0x5c && opcode <= 0x77) || (opcode & 0xfa) == 0xb0 ||
	       (opcode >= 0xcb && opcode <= 0xcd) || (opcode >= 0xd2 && opcode <= 0xda) || (opcode >= 0xe0 && opcode <= 0xef);
}

static uint64_t needed_vex2(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	if (is_later_vex2(opcode))
		return BIT(NONE);
	if (opcode == 0xf2 || opcode == 0xf3 || (opcode == 0xf7 && form->pp == PP_NONE))
		return BIT(BMI1);
	if (opcode >= 0xf5 && opcode <= 0xf7)
		return BIT(BMI2);
	if (opcode == 0x13)
		return BIT(AVX) | BIT(F16C);
	if (opcode == 0xcf)
		return BIT(AVX) | BIT(GFNI);
	if (opcode >= 0xdb && opcode < 0xe0)
		return BIT(AVX) | (form->l ? BIT(VAES) : BIT(AES));
	if (opcode >= 0x96 && opcode < 0xc0 && (opcode & 15) >= 6)
		return BIT(AVX) | BIT(FMA);
	if (opcode >= 0x45 && opcode < 0x96)
		return BIT(AVX) | BIT(AVX2);
	return BIT(AVX);
}

static uint64_t needed_vex3(const struct form *form)
{
	const uint8_t row = form->opcode & 0xf8;

	if (row == 0x68 || row == 0x78 || (form->opcode & 0xfc) == 0x5c || form->opcode == 0xde || (form->opcode & 0xfc) == 0x30)
		/* FMA4, SM3, shifts of masks */
		return BIT(NONE);
	switch (form->opcode) {
	case 0xf0:
		return BIT(BMI2);
	case 0x1d:
		return BIT(AVX) | BIT(F16C);
	case 0x44:
		return BIT(AVX) | (form->l ? BIT(VPCLMUL) : BIT(PCLMUL));
	case 0xce: case 0xcf:
		return BIT(AVX) | BIT(GFNI);
	case 0xdf:
		return BIT(AVX) | BIT(AES);
	default:
		return BIT(AVX);
	}
}

uint64_t features_needed(const struct form *form)
{
	switch (form->map) {
	case MAP_ONE:
		return needed_one(form);
	case MAP_X87:
		return needed_x87(form);
	case MAP_0F:
		return needed_0f(form);
	case MAP_0F38:
		return needed_0f38(form);
	case MAP_0F3A:
		return needed_0f3a(form);
	case MAP_VEX1:
		return is_mask_vex1(form->opcode) ? BIT(NONE) : BIT(AVX);
	case MAP_VEX2:
		return needed_vex2(form);
	case MAP_VEX3:
		return needed_vex3(form);
	case MAP_XOP:
	case MAP_EVEX:
		return BIT(NONE);
	default:
		return 0;
	}
}

bool features_fall_back(const struct form *form)
{
	return form->map == MAP_0F && form->rep == 0xf3 && (form->opcode == 0xbc || form->opcode == 0xbd);
}
