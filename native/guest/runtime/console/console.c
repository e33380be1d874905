/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

static struct spinlock console_lock;

/* Where formatted characters go; `length` goes on counting when it is full. */
struct sink {
	char *buffer;
	size_t size, length;
};

struct conversion {
	bool left, zero, wide;
	int width;
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->buffer[sink->length] = c;
	sink->length++;
}

/* `sign` is 0 or '-'; it stands before zeros and after blanks. */
static void put_padded(struct sink *sink, const struct conversion *how, char sign, const char *text, int length)
{
	int pad = how->width - length - (sign != 0);

	for (; !how->left && !how->zero && pad > 0; pad--)
		put(sink, ' ');
	if (sign)
		put(sink, sign);
	for (; !how->left && pad > 0; pad--)
		put(sink, '0');
	for (int i = 0; i < length; i++)
		put(sink, text[i]);
	for (; pad > 0; pad--)
		put(sink, ' ');
}

static void put_number(struct sink *sink, const struct conversion *how, char sign, uint64_t value, unsigned base)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_padded(sink, how, sign, digits + at, (int)(sizeof(digits) - at));
}

static void put_string(struct sink *sink, const struct conversion *how, const char *text)
{
	struct conversion blanks = *how;

	blanks.zero = false;
	text = text ? text : "(null)";
	put_padded(sink, &blanks, 0, text, (int)strlen(text));
}

static void put_signed(struct sink *sink, const struct conversion *how, int64_t value)
{
	put_number(sink, how, value < 0 ? '-' : 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

/* Flags, width and length of a conversion. Returns the conversion character. */
static char parse(const char **format, struct conversion *how)
{
	const char *p = *format;

	*how = (struct conversion){ 0 };
	for (; *p == '-' || *p == '0'; p++) {
		how->left |= *p == '-';
		how->zero |= *p == '0';
	}
	for (; *p >= '0' && *p <= '9'; p++)
		how->width = how->width * 10 + (*p - '0');
	for (; *p == 'l' || *p == 'z'; p++)
		how->wide = true;
	*format = *p ? p + 1 : p;
	return *p;
}

int string_vprintf(char *buffer, size_t size, const char *format, va_list args)
{
	struct sink sink = { .buffer = buffer, .size = size };
	struct conversion how;
	char c;

	while ((c = *format++)) {
		if (c != '%') {
			put(&sink, c);
			continue;
		}
		c = parse(&format, &how);
		if (c == 'd' || c == 'i')
			put_signed(&sink, &how, how.wide ? va_arg(args, long) : va_arg(args, int));
		else if (c == 'u' || c == 'x')
			put_number(&sink, &how, 0, how.wide ? va_arg(args, unsigned long) : va_arg(args, unsigned),
				   c == 'u' ? 10 : 16);
		else if (c == 's')
			put_string(&sink, &how, va_arg(args, const char *));
		else if (c == 'c')
			put(&sink, (char)va_arg(args, int));
		else if (c == 'p') {
			put_string(&sink, &how, "0x");
			put_number(&sink, &how, 0, (uint64_t)va_arg(args, void *), 16);
		} else
			put(&sink, c);
	}
	if (size)
		buffer[sink.length < size ? sink.length : size - 1] = 0;
	return (int)sink.length;
}

int string_printf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = string_vprintf(buffer, size, format, args);
	va_end(args);
	return length;
}

void console_write(const char *bytes, size_t n)
{
	spin_lock(&console_lock);
	for (size_t i = 0; i < n; i++)
		outb(PV_PORT_CONSOLE, (uint8_t)bytes[i]);
	spin_unlock(&console_lock);
}

void console_printf(const char *format, ...)
{
	char line[CONSOLE_LINE];
	va_list args;
	int length;

	va_start(args, format);
	length = string_vprintf(line, sizeof(line), format, args);
	va_end(args);
	console_write(line, length < CONSOLE_LINE ? (size_t)length : CONSOLE_LINE - 1);
}

void console_break_lock(void)
{
	spin_unlock(&console_lock);
}
