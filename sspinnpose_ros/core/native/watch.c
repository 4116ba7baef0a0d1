/* Copyright 2026 The sspinnpose_ros authors */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heavy sums of the watch for faults, over one stride of all sensors.
 *
 * The Python functions named in the comments say what is computed and why; test/test_native_watch.py
 * holds both to each other. Units are SI. Arrays are of doubles, row after row; nothing is
 * allocated.
 */

#include <math.h>
#include <stddef.h>

static const double SMALL_SQUARE = 0.0625; /* of an angle whose series below are exact */

/* cos(angle) and sin(angle) / angle of the square of an angle. */
static void cosine_and_sinc(double square, double *cosine, double *sinc)
{
    if (!(square < SMALL_SQUARE)) {
        double angle = sqrt(square);
        *cosine = cos(angle);
        *sinc = sin(angle) / angle;
        return;
    }
    /* The next terms are below 1e-18. */
    double c = 1.0 / 479001600.0, s = 1.0 / 6227020800.0;
    c = c * square - 1.0 / 3628800.0;
    s = s * square - 1.0 / 39916800.0;
    c = c * square + 1.0 / 40320.0;
    s = s * square + 1.0 / 362880.0;
    c = c * square - 1.0 / 720.0;
    s = s * square - 1.0 / 5040.0;
    c = c * square + 1.0 / 24.0;
    s = s * square + 1.0 / 120.0;
    c = c * square - 0.5;
    s = s * square - 1.0 / 6.0;
    *cosine = c * square + 1.0;
    *sinc = s * square + 1.0;
}

/*
 * drift_free.steady_mean: rates and forces (count, sensors, 3) to the mean force (sensors, 3)
 * and the mean rotation (sensors, 3, 3) in the axes of the first sample.
 */
void sspinnpose_steady_mean(
    int count, int sensors, const double *rate, const double *force, double step_s,
    double *mean_force, double *mean_rotation)
{
    int step = 3 * sensors;
    for (int sensor = 0; sensor < sensors; sensor++) {
        const double *turning = rate + 3 * sensor, *pushing = force + 3 * sensor;
        double w = 1.0, x = 0.0, y = 0.0, z = 0.0;
        double sum[3] = {0.0, 0.0, 0.0}, total[9] = {0.0};
        for (int row = 0; row < count; row++, turning += step, pushing += step) {
            if (row > 0) {
                double half[3], square = 0.0, cosine, sinc;
                for (int axis = 0; axis < 3; axis++) {
                    half[axis] = 0.25 * (turning[axis] + turning[axis - step]) * step_s;
                    square += half[axis] * half[axis];
                }
                cosine_and_sinc(square, &cosine, &sinc);
                double b = sinc * half[0], c = sinc * half[1], d = sinc * half[2];
                double next_w = w * cosine - x * b - y * c - z * d;
                double next_x = w * b + x * cosine + y * d - z * c;
                double next_y = w * c - x * d + y * cosine + z * b;
                z = w * d + x * c - y * b + z * cosine;
                w = next_w, x = next_x, y = next_y;
            }
            double rotation[9] = {
                1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y),
                2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x),
                2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y),
            };
            for (int axis = 0; axis < 3; axis++) {
                const double *of = rotation + 3 * axis;
                sum[axis] += of[0] * pushing[0] + of[1] * pushing[1] + of[2] * pushing[2];
            }
            for (int entry = 0; entry < 9; entry++)
                total[entry] += rotation[entry];
        }
        for (int axis = 0; axis < 3; axis++)
            mean_force[3 * sensor + axis] = sum[axis] / count;
        for (int entry = 0; entry < 9; entry++)
            mean_rotation[9 * sensor + entry] = total[entry] / count;
    }
}

/*
 * stride_window.unlikeness: how little the first `tail` samples of a signal (count, sensors, 3)
 * resemble those that begin at each later sample, (count - tail + 1) on the average of all sensors.
 */
void sspinnpose_unlikeness(
    int count, int sensors, int tail, const double *signal, double floor, double *unlike)
{
    int step = 3 * sensors;
    for (int begin = 0; begin + tail <= count; begin++)
        unlike[begin] = 0.0;
    for (int sensor = 0; sensor < sensors; sensor++) {
        const double *first = signal + 3 * sensor;
        double own = 0.0;
        for (int begin = 0; begin + tail <= count; begin++) {
            const double *one = first, *other = first + (long)begin * step;
            double shared = 0.0, energy = 0.0;
            for (int row = 0; row < tail; row++, one += step, other += step) {
                shared += one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
                energy += other[0] * other[0] + other[1] * other[1] + other[2] * other[2];
            }
            if (begin == 0)
                own = energy;
            unlike[begin] += (1.0 - (2.0 * shared + floor) / (energy + own + floor)) / sensors;
        }
    }
}

/* What joint_agreement asks of a sensor on some segment; doubles only, hence without padding. */
struct stream {
    double row; /* of the sensor */
    double forward[3], up[3], rate[3]; /* what its axes add to the sagittal signals */
    double force_bias[3], rate_bias[3];
};

const size_t sspinnpose_stream_size = sizeof(struct stream);

static double along(const double *axis, const double *reading, const double *bias)
{
    return axis[0] * (reading[0] - bias[0]) + axis[1] * (reading[1] - bias[1])
        + axis[2] * (reading[2] - bias[2]);
}

/*
 * joint_agreement.sampled_motion: forces and rates (count, sensors, 3) of one stride to the
 * acceleration of streams and what a lever forward adds to it, both complex numbers
 * (streams, ceil(count / step)) in level axes, smoothed over 2 half + 1 samples; half is below
 * count. `room` holds 5 count doubles.
 */
void sspinnpose_sampled_motion(
    int count, int sensors, const double *force, const double *rate, int streams,
    const struct stream *stream, double period_s, int half, int step, double *room, double *at,
    double *lever)
{
    double *pushed = room, *thrown = pushed + 2 * count, *turning = thrown + 2 * count;
    int columns = 3 * sensors;
    for (int number = 0; number < streams; number++, stream++) {
        int first = 3 * (int)stream->row;
        double bias = 0.0;
        for (int row = 0; row < count; row++) {
            turning[row] = along(stream->rate, rate + row * columns + first, stream->rate_bias);
            bias += turning[row];
        }
        bias /= count;
        for (int row = 0; row < count; row++)
            turning[row] -= bias;
        double c = 1.0, n = 0.0, last = 0.0, mean[2] = {0.0, 0.0};
        for (int row = 0; row < count; row++) {
            double angle = 0.5 * (turning[row] + last) * period_s, cosine, sinc;
            last = turning[row];
            cosine_and_sinc(angle * angle, &cosine, &sinc);
            double turned = c * cosine - n * sinc * angle;
            n = n * cosine + c * sinc * angle;
            c = turned;
            const double *reading = force + row * columns + first;
            double forward = along(stream->forward, reading, stream->force_bias);
            double up = along(stream->up, reading, stream->force_bias);
            pushed[2 * row] = c * forward - n * up;
            pushed[2 * row + 1] = n * forward + c * up;
            mean[0] += pushed[2 * row];
            mean[1] += pushed[2 * row + 1];
            double next = turning[row + 1 < count ? row + 1 : 0];
            double before = turning[row > 0 ? row - 1 : count - 1];
            double square = -turning[row] * turning[row];
            double change = (next - before) / (2.0 * period_s);
            thrown[2 * row] = c * square - n * change;
            thrown[2 * row + 1] = n * square + c * change;
        }
        mean[0] /= count;
        mean[1] /= count;
        double size = fmax(sqrt(mean[0] * mean[0] + mean[1] * mean[1]), 1e-9) * (2 * half + 1);
        double upright[2] = {mean[1] / size, mean[0] / size};
        for (int row = 0; row < count; row += step, at += 2, lever += 2) {
            double sum[4] = {0.0, 0.0, 0.0, 0.0};
            for (int near = row - half; near <= row + half; near++) {
                int place = near < 0 ? near + count : near >= count ? near - count : near;
                for (int axis = 0; axis < 2; axis++) {
                    sum[axis] += pushed[2 * place + axis];
                    sum[2 + axis] += thrown[2 * place + axis];
                }
            }
            at[0] = upright[0] * sum[0] - upright[1] * sum[1];
            at[1] = upright[0] * sum[1] + upright[1] * sum[0];
            lever[0] = upright[0] * sum[2] - upright[1] * sum[3];
            lever[1] = upright[0] * sum[3] + upright[1] * sum[2];
        }
    }
}

/* One end of a joint: its stream and where it is from the sensor, forward and up. */
struct end {
    double stream, forward, up;
};

/*
 * joint_agreement.swings: the motion of streams as above to the root mean square of each end's
 * acceleration (ends) and of the difference between the two ends of each pair (pairs, 2), both
 * about their means. `room` holds 2 samples ends doubles.
 */
void sspinnpose_swings(
    int samples, const double *at, const double *lever, int ends, const struct end *end, int pairs,
    const int *pair, double *room, double *swing, double *apart)
{
    for (int number = 0; number < ends; number++, end++) {
        const double *from = at + 2 * samples * (int)end->stream;
        const double *arm = lever + 2 * samples * (int)end->stream;
        double *moved = room + 2 * samples * number, mean[2] = {0.0, 0.0}, square = 0.0;
        for (int row = 0; row < 2 * samples; row += 2) {
            moved[row] = from[row] + end->forward * arm[row] - end->up * arm[row + 1];
            moved[row + 1] = from[row + 1] + end->forward * arm[row + 1] + end->up * arm[row];
            mean[0] += moved[row];
            mean[1] += moved[row + 1];
        }
        for (int row = 0; row < 2 * samples; row++) {
            moved[row] -= mean[row % 2] / samples;
            square += moved[row] * moved[row];
        }
        swing[number] = sqrt(square / samples);
    }
    for (int number = 0; number < pairs; number++) {
        const double *one = room + 2 * samples * pair[2 * number];
        const double *other = room + 2 * samples * pair[2 * number + 1];
        double square = 0.0;
        for (int row = 0; row < 2 * samples; row++)
            square += (one[row] - other[row]) * (one[row] - other[row]);
        apart[number] = sqrt(square / samples);
    }
}

enum { CHANNELS = 6, MOST_SENSORS = 16 };

/*
 * stride_comparison.stride_of: forces and rates (count, sensors, 3) of one stride to their means
 * (phases, sensors, 6) about equal phases; forces are divided by `unit`.
 */
void sspinnpose_phases(
    int count, int sensors, const double *force, const double *rate, double unit, int phases,
    double *signal)
{
    int width = (int)nearbyint((double)count / phases);
    int half = ((width < 1 ? 1 : width) | 1) / 2;
    int columns = 3 * sensors;
    for (int phase = 0; phase < phases; phase++) {
        int centre = (int)nearbyint((double)phase * count / phases);
        double *out = signal + phase * sensors * CHANNELS;
        for (int each = 0; each < sensors * CHANNELS; each++)
            out[each] = 0.0;
        for (int near = centre - half; near <= centre + half; near++) {
            int row = near < 0 ? near + count : near >= count ? near - count : near;
            for (int each = 0; each < columns; each++) {
                double *of = out + each / 3 * CHANNELS + each % 3;
                of[0] += force[row * columns + each] / unit;
                of[3] += rate[row * columns + each];
            }
        }
        for (int each = 0; each < sensors * CHANNELS; each++)
            out[each] /= 2 * half + 1;
    }
}

/*
 * The quaternion of the rotation that takes vectors nearest to others, of the sums of their
 * products (rows: the vectors): the eigenvector of Horn (1987), by Jacobi's rotations.
 */
static void nearest_rotation(double sums[3][3], double *quaternion)
{
    double a[4][4] = {
        {sums[0][0] + sums[1][1] + sums[2][2], sums[1][2] - sums[2][1], sums[2][0] - sums[0][2],
         sums[0][1] - sums[1][0]},
        {0.0, sums[0][0] - sums[1][1] - sums[2][2], sums[0][1] + sums[1][0],
         sums[2][0] + sums[0][2]},
        {0.0, 0.0, -sums[0][0] + sums[1][1] - sums[2][2], sums[1][2] + sums[2][1]},
        {0.0, 0.0, 0.0, -sums[0][0] - sums[1][1] + sums[2][2]},
    };
    double vectors[4][4] = {{1.0, 0.0, 0.0, 0.0}, {0.0, 1.0, 0.0, 0.0}, {0.0, 0.0, 1.0, 0.0},
                            {0.0, 0.0, 0.0, 1.0}};
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < row; column++)
            a[row][column] = a[column][row];
    for (int sweep = 0; sweep < 30; sweep++) {
        double outside = 0.0, inside = 0.0;
        for (int row = 0; row < 4; row++) {
            inside += a[row][row] * a[row][row];
            for (int column = row + 1; column < 4; column++)
                outside += a[row][column] * a[row][column];
        }
        if (!(outside > 1e-30 * inside))
            break;
        for (int p = 0; p < 3; p++) {
            for (int q = p + 1; q < 4; q++) {
                if (a[p][q] == 0.0)
                    continue;
                double ratio = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                double t = (ratio < 0.0 ? -1.0 : 1.0) / (fabs(ratio) + sqrt(ratio * ratio + 1.0));
                double c = 1.0 / sqrt(t * t + 1.0), n = t * c;
                for (int k = 0; k < 4; k++) {
                    double one = a[k][p], other = a[k][q];
                    a[k][p] = c * one - n * other;
                    a[k][q] = n * one + c * other;
                }
                for (int k = 0; k < 4; k++) {
                    double one = a[p][k], other = a[q][k];
                    a[p][k] = c * one - n * other;
                    a[q][k] = n * one + c * other;
                    one = vectors[k][p], other = vectors[k][q];
                    vectors[k][p] = c * one - n * other;
                    vectors[k][q] = n * one + c * other;
                }
            }
        }
    }
    int best = 0;
    for (int each = 1; each < 4; each++)
        if (a[each][each] > a[best][best])
            best = each;
    for (int k = 0; k < 4; k++)
        quaternion[k] = vectors[k][best];
}

/* The sum of the four largest of some values, which it puts in order. */
static double sum_of_largest(int count, double *values)
{
    double sum = 0.0;
    for (int place = 0; place < 4 && place < count; place++) {
        for (int each = place + 1; each < count; each++) {
            if (values[each] > values[place]) {
                double larger = values[each];
                values[each] = values[place];
                values[place] = larger;
            }
        }
        sum += values[place];
    }
    return sum;
}

/*
 * stride_comparison.compare_strides: two strides (phases, sensors, 6), of which the sensors that
 * are not usable count as unlike, to how many phases the second is later, the angle by which each
 * sensor is turned, and how alike its rates are once turned back and how large against before. At
 * most MOST_SENSORS.
 */
int sspinnpose_compare(
    int phases, int sensors, const double *before, const double *after, const double *usable,
    double *turned, double *alike, double *factor)
{
    double size[MOST_SENSORS], sums[MOST_SENSORS], highest = 0.0;
    int row = sensors * CHANNELS, later = 0;
    for (int s = 0; s < sensors; s++) {
        double first = 0.0, second = 0.0;
        for (int each = s * CHANNELS + 3; each < phases * row; each += row) {
            for (int axis = 0; axis < 3; axis++) {
                first += before[each + axis] * before[each + axis];
                second += after[each + axis] * after[each + axis];
            }
        }
        first = sqrt(first) + 1e-9;
        second = sqrt(second) + 1e-9;
        size[s] = first * second;
        factor[s] = second / first;
    }
    for (int lag = 0; lag < phases; lag++) {
        for (int s = 0; s < sensors; s++)
            sums[s] = 0.0;
        for (int phase = 0; phase < phases; phase++) {
            int other = phase + lag < phases ? phase + lag : phase + lag - phases;
            const double *one = before + phase * row + 3, *two = after + other * row + 3;
            for (int s = 0; s < sensors; s++, one += CHANNELS, two += CHANNELS)
                sums[s] += one[0] * two[0] + one[1] * two[1] + one[2] * two[2];
        }
        for (int s = 0; s < sensors; s++)
            sums[s] = usable[s] != 0.0 ? sums[s] / size[s] : -1.0;
        double agreement = sum_of_largest(sensors, sums);
        if (lag == 0 || agreement > highest) {
            highest = agreement;
            later = lag;
        }
    }
    for (int s = 0; s < sensors; s++) {
        double whole[3][3] = {{0.0}}, rates[3][3] = {{0.0}}, q[4];
        for (int phase = 0; phase < phases; phase++) {
            int other = phase + later < phases ? phase + later : phase + later - phases;
            const double *one = before + phase * row + s * CHANNELS;
            const double *two = after + other * row + s * CHANNELS;
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) {
                    rates[i][j] += one[3 + i] * two[3 + j];
                    whole[i][j] += one[i] * two[j] + one[3 + i] * two[3 + j];
                }
            }
        }
        nearest_rotation(whole, q);
        double w = q[0], x = q[1], y = q[2], z = q[3];
        turned[s] = 2.0 * atan2(sqrt(x * x + y * y + z * z), fabs(w));
        alike[s] = (rates[0][0] * (1.0 - 2.0 * (y * y + z * z))
            + rates[1][0] * 2.0 * (x * y - w * z) + rates[2][0] * 2.0 * (x * z + w * y)
            + rates[0][1] * 2.0 * (x * y + w * z) + rates[1][1] * (1.0 - 2.0 * (x * x + z * z))
            + rates[2][1] * 2.0 * (y * z - w * x) + rates[0][2] * 2.0 * (x * z - w * y)
            + rates[1][2] * 2.0 * (y * z + w * x) + rates[2][2] * (1.0 - 2.0 * (x * x + y * y)))
            / size[s];
    }
    return later;
}
