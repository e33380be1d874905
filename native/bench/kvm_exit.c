/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of the real KVM whose guest does nothing but OUT, which user space sees. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/bench_clock.h"
#include "bench/peer.h"

enum { GUEST_PAGE = 4096 };

/* Real mode: out %al,$0x80; jmp back to it. */
static const uint8_t code[] = { 0xe6, 0x80, 0xeb, 0xfc };

struct kvm {
	int device, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_size;
};

static int start_vcpu(struct kvm *kvm)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	if (ioctl(kvm->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(kvm->vcpu, KVM_SET_SREGS, &sregs) || ioctl(kvm->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

static int create(struct kvm *kvm)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_PAGE };
	int size;

	kvm->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->device < 0)
		return -errno;
	kvm->vm = ioctl(kvm->device, KVM_CREATE_VM, 0ul);
	size = ioctl(kvm->device, KVM_GET_VCPU_MMAP_SIZE, 0ul);
	if (kvm->vm < 0 || size < 0)
		return -errno;
	kvm->memory = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kvm->memory == MAP_FAILED)
		return -errno;
	memcpy(kvm->memory, code, sizeof(code));
	region.userspace_addr = (uintptr_t)kvm->memory;
	if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	kvm->vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, 0ul);
	if (kvm->vcpu < 0)
		return -errno;
	kvm->run_size = (size_t)size;
	kvm->run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, kvm->vcpu, 0);
	if (kvm->run == MAP_FAILED)
		return -errno;
	return start_vcpu(kvm);
}

static void destroy(struct kvm *kvm)
{
	const int fds[] = { kvm->vcpu, kvm->vm, kvm->device };

	if (kvm->run != MAP_FAILED)
		munmap(kvm->run, kvm->run_size);
	if (kvm->memory != MAP_FAILED)
		munmap(kvm->memory, GUEST_PAGE);
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int64_t run(struct kvm *kvm, uint32_t n)
{
	int64_t start = bench_now_ns();

	for (uint32_t i = 0; i < n; i++) {
		while (ioctl(kvm->vcpu, KVM_RUN, 0ul))
			if (errno != EINTR)
				return -errno;
		if (kvm->run->exit_reason != KVM_EXIT_IO)
			return -EIO;
	}
	return bench_now_ns() - start;
}

int64_t kvm_exit_repeat(uint32_t n)
{
	struct kvm kvm = { .device = -1, .vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED };
	int64_t ret = create(&kvm);

	if (!ret)
		ret = run(&kvm, n);
	destroy(&kvm);
	return ret;
}
