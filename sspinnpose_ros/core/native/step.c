/* Copyright 2026 The sspinnpose_ros authors */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of the estimator: a synchronized frame in, an estimate out.
 *
 * The Python functions of core/ say what is computed and why; each function here repeats the one
 * that its comment names, for one wearer and one instant. test/test_native_step.py holds both to
 * each other. Units are SI, orders and signs those of core/conventions.py. Nothing is allocated.
 *
 * The structures hold doubles only, so that they have no padding; core/native_step.py lays out
 * numpy records of the same fields in the same order and compares their sizes.
 */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    SENSORS = 7,
    SEGMENTS = 7,
    JOINTS = 6,
    COORDINATES = 9,
    SIDES = 2,
    POINTS = 2,
    OUTPUTS = 35,
    INPUTS = 44,
    QUANTITIES = 16,
    LANES = 32, /* rows of a matrix that are worked out together */
};

enum { PELVIS, THIGH_R, SHANK_R, FOOT_R, THIGH_L, SHANK_L, FOOT_L };
enum { FORWARD, UP };

static const double GRAVITY = 9.81;
static const double PI = 3.141592653589793;

static const double TIME_CONSTANT_S = 0.75;     /* inclination.py */
static const double BIAS_TIME_CONSTANT_S = 5.0; /* inclination.py */
static const double LARGEST_BIAS = 0.15;        /* inclination.py */
static const double SETTLED_AFTER = 2.0;        /* inclination.py */
static const double FRICTION = 0.8;             /* decoder.py */
static const double LOADED_SHARE = 0.03;        /* estimator.py */
static const double RESIDUAL_MEMORY_S = 1.0;    /* uncertainty.py */
static const double FORCE_SCALE = 1.5;          /* uncertainty.py */
static const double RATE_SCALE = 0.3;           /* uncertainty.py */
static const double LEAST_SQUARE = 1e-2;        /* uncertainty.py */
static const double LARGEST_SQUARE = 1e3;       /* uncertainty.py */

struct wearer {
    double period_s;
    double mass_kg;
    double height_m;
    double segment_mass[SEGMENTS];
    double segment_inertia[SEGMENTS];
    double segment_com[SEGMENTS][2];
    double leg_length[2];
    double contact_point[POINTS][2];
    double sensor_position[SENSORS][2];
    double rotation[SENSORS][3][3];
    double acceleration_gain[SENSORS];
    double gyro_bias[SENSORS][3];
    double acceleration_bias[SENSORS][3];
};

struct frame {
    double imu[SENSORS][6];
    double there[SENSORS];   /* 1 where the sensor is there and mounted, else 0 */
    double present[SENSORS]; /* 1 where the estimate is made from it, else 0 */
};

struct state {
    double turned[SENSORS];
    double bias[SENSORS];
    double last_rate[SENSORS];
    double count[SENSORS];
    double average[SENSORS][2][2];
    double pelvis_forward;
    double last_speed;
    double residual_square[SENSORS][2];
};

struct estimate {
    double q[COORDINATES];
    double qd[COORDINATES];
    double qdd[COORDINATES];
    double effort[JOINTS];
    double contact_force[SIDES][POINTS][2];
    double ground_force[SIDES][2];
    double cop_forward[SIDES];
    double sole_wrench[SIDES][3];
    double pelvis_residual[3];
    double virtual_imu[SENSORS][3];
    double residual[SENSORS][3];
    double sigma[QUANTITIES];
    double output[OUTPUTS];
};

const size_t sspinnpose_wearer_size = sizeof(struct wearer);
const size_t sspinnpose_frame_size = sizeof(struct frame);
const size_t sspinnpose_state_size = sizeof(struct state);
const size_t sspinnpose_estimate_size = sizeof(struct estimate);

/* What the sensors say in the sagittal plane. */
struct signals {
    double measured[SENSORS][3]; /* force forward and up, rate; zero where absent */
    double inclination[SENSORS];
    double rate_change[SENSORS];
};

struct body_state {
    double segment[SEGMENTS]; /* inclinations */
    double turning[SEGMENTS];
    double alpha[SEGMENTS];
    double lean;
};

struct motion {
    double cos[SEGMENTS];
    double sin[SEGMENTS];
    double rate[SEGMENTS];
    double alpha[SEGMENTS];
    double position[SEGMENTS][2];
    double acceleration[SEGMENTS][2];
    double contact_offset[SIDES][POINTS][2]; /* heel and toe from their ankle, world axes */
};

/* mounting.sagittal_signals */
static void turn_to_sagittal(
    const struct wearer *wearer, const struct frame *frame, struct signals *signals)
{
    for (int s = 0; s < SENSORS; s++) {
        double *out = signals->measured[s];
        out[0] = out[1] = out[2] = 0.0;
        if (frame->there[s] == 0.0)
            continue;
        const double(*rotation)[3] = wearer->rotation[s];
        for (int j = 0; j < 3; j++) {
            double force = frame->imu[s][j] - wearer->acceleration_bias[s][j];
            double rate = frame->imu[s][3 + j] - wearer->gyro_bias[s][j];
            out[0] += rotation[0][j] * force;
            out[1] += rotation[2][j] * force;
            out[2] -= rotation[1][j] * rate;
        }
        out[0] /= wearer->acceleration_gain[s];
        out[1] /= wearer->acceleration_gain[s];
    }
}

/* The remainder in [-pi, pi), as numpy's % gives it. */
static double wrapped(double angle)
{
    double rest = fmod(angle + PI, 2.0 * PI);
    return (rest < 0.0 ? rest + 2.0 * PI : rest) - PI;
}

static double between(double value, double low, double high)
{
    /* A value that is not a number stays what it is. */
    return value < low ? low : value > high ? high : value;
}

/* inclination.inclination_step */
static void follow_inclination(
    double period, const struct frame *frame, struct state *state, struct signals *signals)
{
    for (int s = 0; s < SENSORS; s++) {
        int there = frame->there[s] != 0.0;
        int known = there && state->count[s] > 0.0;
        const double *measured = signals->measured[s];
        double rate = measured[2];
        double count = there ? state->count[s] + 1.0 : 0.0;
        double last = known ? state->last_rate[s] : rate;
        double bias = known ? state->bias[s] : 0.0;
        double turned =
            known ? state->turned[s] + (0.5 * (rate + last) - bias) * period : 0.0;
        double c = cos(turned), n = sin(turned);
        double fixed[2] = {
            c * measured[0] - n * measured[1],
            n * measured[0] + c * measured[1],
        };
        double gain = fmax(1.0 / fmax(count, 1.0), period / TIME_CONSTANT_S);
        double average[2][2];
        for (int axis = 0; axis < 2; axis++) {
            double first = known ? state->average[s][0][axis] : 0.0;
            double second = known ? state->average[s][1][axis] : 0.0;
            first += gain * (fixed[axis] - first);
            second += gain * (first - second);
            average[0][axis] = first;
            average[1][axis] = second;
        }
        double error = atan2(average[1][0], average[1][1]);
        double horizon = SETTLED_AFTER * TIME_CONSTANT_S;
        int settled = count * period > horizon;
        int settling = settled && (count - 1.0) * period <= horizon;
        double pull = settled && !settling ? error * period : 0.0;
        double turn = settling ? error : 2.0 / BIAS_TIME_CONSTANT_S * pull;
        bias -= pull / (BIAS_TIME_CONSTANT_S * BIAS_TIME_CONSTANT_S);
        c = cos(turn);
        n = sin(turn);
        for (int stage = 0; stage < 2; stage++) {
            double forward = average[stage][0], up = average[stage][1];
            state->average[s][stage][0] = c * forward - n * up;
            state->average[s][stage][1] = n * forward + c * up;
        }
        state->turned[s] = turned + turn;
        state->bias[s] = between(bias, -LARGEST_BIAS, LARGEST_BIAS);
        state->last_rate[s] = there ? rate : 0.0;
        state->count[s] = count;
        signals->inclination[s] = there ? wrapped(turned + error) : 0.0;
        signals->rate_change[s] = known ? (rate - last) / period : 0.0;
    }
}

/* features.network_input */
static void arrange_inputs(
    const struct wearer *wearer, const struct frame *frame, const struct signals *signals,
    float *inputs)
{
    for (int s = 0; s < SENSORS; s++) {
        double present = frame->present[s];
        const double *measured = signals->measured[s];
        inputs[s] = (float)(0.1 * measured[0] * present);
        inputs[SENSORS + s] = (float)(0.1 * (measured[1] * present - GRAVITY) * present);
        inputs[2 * SENSORS + s] = (float)(0.25 * measured[2] * present);
        inputs[3 * SENSORS + s] = (float)(0.02 * signals->rate_change[s] * present);
        inputs[4 * SENSORS + s] = (float)(2.0 * signals->inclination[s] * present);
        inputs[5 * SENSORS + s] = (float)present;
    }
    inputs[6 * SENSORS] = (float)(wearer->mass_kg / 75.0 - 1.0);
    inputs[6 * SENSORS + 1] = (float)((wearer->height_m / 1.8 - 1.0) * 5.0);
}

/* The network runs on whatever vector unit the processor has, hence whole in one function. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) \
    && !defined(SSPINNPOSE_PLAIN)
#define WIDE __attribute__((target_clones("arch=haswell", "default")))
#else
#define WIDE
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

static int padded(int rows)
{
    return (rows + LANES - 1) / LANES * LANES;
}

/* exp by its series, after the whole powers of two are taken out; |value| at most 20. */
INLINE float exponential(float value)
{
    float powers = value * 1.44269504f;
    int32_t whole = (int32_t)(powers + (powers < 0.0f ? -0.5f : 0.5f));
    float rest = value - (float)whole * 0.693145752f;
    rest -= (float)whole * 1.42860677e-6f;
    float series = 1.0f / 5040.0f;
    series = series * rest + 1.0f / 720.0f;
    series = series * rest + 1.0f / 120.0f;
    series = series * rest + 1.0f / 24.0f;
    series = series * rest + 1.0f / 6.0f;
    series = series * rest + 0.5f;
    series = series * rest + 1.0f;
    series = series * rest + 1.0f;
    uint32_t bits = (uint32_t)(whole + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

INLINE float hyperbolic_tangent(float value)
{
    /* Zero stands in for what is not a number, as no integer could be made of it. */
    float small = value > 9.0f ? 9.0f : value < -9.0f ? -9.0f : value == value ? value : 0.0f;
    float doubled = exponential(2.0f * small);
    return value == value ? (doubled - 1.0f) / (doubled + 1.0f) : value;
}

/*
 * out = matrix @ inputs + bias, all rows. A matrix is stored in blocks of LANES rows, within a
 * block column by column, its bias behind it; rows that are only there to fill a block are zero.
 * Return what is stored behind the bias.
 */
INLINE const float *multiply(
    const float *matrix, int rows, const float *inputs, int columns, float *out)
{
    const float *bias = matrix + (size_t)rows * (size_t)columns;
    for (int row = 0; row < rows; row += LANES) {
        float sum[LANES];
        memcpy(sum, bias + row, sizeof sum);
        for (int column = 0; column < columns; column++) {
            float input = inputs[column];
            for (int lane = 0; lane < LANES; lane++)
                sum[lane] += matrix[lane] * input;
            matrix += LANES;
        }
        memcpy(out + row, sum, sizeof sum);
    }
    return bias + rows;
}

/*
 * network_step.NetworkStep: inputs (44) and the recurrent state (2 layers, hidden and cell) to
 * the outputs; the state is replaced by the following one. `room` holds what is in between.
 */
WIDE static void run_network(
    int hidden, const float *weights, const float *inputs, float *recurrent, float *room,
    double *outputs)
{
    int gate_rows = padded(4 * hidden);
    float *joined = room;
    float *gates = joined + INPUTS + 2 * hidden;
    float *inner = gates + gate_rows;
    float *skip = inner + padded(hidden);
    float *outer = skip + padded(OUTPUTS);
    const float *below = inputs;
    int size = INPUTS;
    for (int layer = 0; layer < 2; layer++) {
        float *output = recurrent + 2 * layer * hidden;
        float *cell = output + hidden;
        memcpy(joined, below, sizeof(float) * (size_t)size);
        memcpy(joined + size, output, sizeof(float) * (size_t)hidden);
        weights = multiply(weights, gate_rows, joined, size + hidden, gates);
        for (int row = 0; row < 4 * hidden; row++)
            gates[row] = hyperbolic_tangent(gates[row]);
        const float *entry = gates, *keep = gates + hidden;
        const float *fresh = gates + 2 * hidden, *open = gates + 3 * hidden;
        for (int unit = 0; unit < hidden; unit++) {
            float kept = (0.5f * keep[unit] + 0.5f) * cell[unit];
            cell[unit] = kept + (0.5f * entry[unit] + 0.5f) * fresh[unit];
            output[unit] = (0.5f * open[unit] + 0.5f) * hyperbolic_tangent(cell[unit]);
        }
        below = output;
        size = hidden;
    }
    weights = multiply(weights, padded(hidden), below, hidden, inner);
    for (int unit = 0; unit < hidden; unit++)
        inner[unit] = inner[unit] > 0.0f ? inner[unit] : expm1f(inner[unit]);
    weights = multiply(weights, padded(OUTPUTS), inner, hidden, outer);
    multiply(weights, padded(OUTPUTS), inputs, INPUTS, skip);
    for (int row = 0; row < OUTPUTS; row++)
        outputs[row] = (double)(outer[row] + skip[row]);
}

static double softplus(double value)
{
    /* The zero passes on that a value is infinite, as in Python: such an estimate is refused. */
    double zero = 0.0 * value;
    return (value > 0.0 ? value : zero) + log1p(exp(-fabs(value))) + zero;
}

/* kinematics.joint_angles */
static void join_angles(const double *segment, double *joints)
{
    joints[0] = segment[THIGH_R] - segment[PELVIS];
    joints[1] = segment[THIGH_R] - segment[SHANK_R];
    joints[2] = segment[FOOT_R] - segment[SHANK_R];
    joints[3] = segment[THIGH_L] - segment[PELVIS];
    joints[4] = segment[THIGH_L] - segment[SHANK_L];
    joints[5] = segment[FOOT_L] - segment[SHANK_L];
}

/* decoder.decode */
static void decode(
    const struct wearer *wearer, const struct frame *frame, const struct signals *signals,
    struct estimate *estimate, struct body_state *body)
{
    const double *output = estimate->output;
    double ankle_height = -wearer->contact_point[0][UP];
    double height = wearer->leg_length[0] + wearer->leg_length[1] + ankle_height;
    for (int s = 0; s < SEGMENTS; s++) {
        double present = frame->present[s];
        body->segment[s] =
            signals->inclination[s] * present + 1.7 * tanh(output[1 + s] / 1.7);
        body->turning[s] = signals->measured[s][2] * present + 3.0 * output[10 + s];
        body->alpha[s] = 40.0 * output[19 + s];
    }
    body->lean = 0.6 * tanh(output[34]);
    estimate->q[0] = 0.0;
    estimate->q[1] = height + 0.25 * tanh(output[0]);
    estimate->q[2] = body->segment[PELVIS];
    join_angles(body->segment, estimate->q + 3);
    estimate->qd[0] = 2.5 + 4.0 * tanh(output[8] / 2.0);
    estimate->qd[1] = 0.5 * output[9];
    estimate->qd[2] = body->turning[PELVIS];
    join_angles(body->turning, estimate->qd + 3);
    estimate->qdd[0] = 5.0 * output[17];
    estimate->qdd[1] = 5.0 * output[18];
    estimate->qdd[2] = body->alpha[PELVIS];
    join_angles(body->alpha, estimate->qdd + 3);
    double weight = wearer->mass_kg * GRAVITY;
    for (int point = 0; point < SIDES * POINTS; point++) {
        double up = weight * 0.5 * softplus(2.0 * output[26 + point] - 1.0);
        double *force = estimate->contact_force[point / POINTS][point % POINTS];
        force[FORWARD] = FRICTION * up * tanh(output[30 + point]);
        force[UP] = up;
    }
}

/* kinematics.kinematics; the coordinates are those of the segments already. */
static void move_segments(
    const struct wearer *wearer, const struct body_state *body, const struct estimate *estimate,
    struct motion *motion)
{
    for (int s = 0; s < SEGMENTS; s++) {
        motion->cos[s] = cos(body->segment[s]);
        motion->sin[s] = sin(body->segment[s]);
        motion->rate[s] = body->turning[s];
        motion->alpha[s] = body->alpha[s];
    }
    for (int axis = 0; axis < 2; axis++) {
        motion->position[PELVIS][axis] = estimate->q[axis];
        motion->acceleration[PELVIS][axis] = estimate->qdd[axis];
    }
    for (int thigh = THIGH_R; thigh <= THIGH_L; thigh += THIGH_L - THIGH_R) {
        memcpy(motion->position[thigh], motion->position[PELVIS], sizeof(double[2]));
        memcpy(motion->acceleration[thigh], motion->acceleration[PELVIS], sizeof(double[2]));
        for (int part = 0; part < 2; part++) {
            int upper = thigh + part, lower = upper + 1;
            double length = wearer->leg_length[part];
            double along = length * motion->sin[upper], upward = -length * motion->cos[upper];
            double alpha = motion->alpha[upper];
            double square = motion->rate[upper] * motion->rate[upper];
            const double *from = motion->acceleration[upper];
            motion->position[lower][FORWARD] = motion->position[upper][FORWARD] + along;
            motion->position[lower][UP] = motion->position[upper][UP] + upward;
            motion->acceleration[lower][FORWARD] =
                from[FORWARD] + (-alpha * upward - square * along);
            motion->acceleration[lower][UP] = from[UP] + (alpha * along - square * upward);
        }
    }
}

/* contact.contact_points: heel and toe of both feet from their ankles. */
static void place_contact_points(const struct wearer *wearer, struct motion *motion)
{
    for (int side = 0; side < SIDES; side++) {
        int foot = side ? FOOT_L : FOOT_R;
        double c = motion->cos[foot], n = motion->sin[foot];
        for (int point = 0; point < POINTS; point++) {
            const double *place = wearer->contact_point[point];
            double *offset = motion->contact_offset[side][point];
            offset[FORWARD] = c * place[FORWARD] - n * place[UP];
            offset[UP] = n * place[FORWARD] + c * place[UP];
        }
    }
}

/* dynamics.inverse_dynamics, with the trunk of trunk.carry_trunk */
static void find_moments(
    const struct wearer *wearer, const struct motion *motion, double lean,
    struct estimate *estimate)
{
    double force[SEGMENTS][2], moment[SEGMENTS];
    for (int s = 0; s < SEGMENTS; s++) {
        int trunk = s == PELVIS;
        double c = trunk ? cos(lean) : motion->cos[s];
        double n = trunk ? sin(lean) : motion->sin[s];
        double alpha = trunk ? 0.0 : motion->alpha[s];
        double square = trunk ? 0.0 : motion->rate[s] * motion->rate[s];
        const double *com = wearer->segment_com[s], *root = motion->acceleration[s];
        double x = c * com[FORWARD] - n * com[UP], z = n * com[FORWARD] + c * com[UP];
        double mass = wearer->segment_mass[s];
        force[s][FORWARD] = mass * (root[FORWARD] - alpha * z - square * x);
        force[s][UP] = mass * (root[UP] + alpha * x - square * z + GRAVITY);
        moment[s] = wearer->segment_inertia[s] * alpha + x * force[s][UP] - z * force[s][FORWARD];
    }
    double *root = estimate->pelvis_residual;
    root[0] = force[PELVIS][FORWARD];
    root[1] = force[PELVIS][UP];
    root[2] = moment[PELVIS];
    for (int side = 0; side < SIDES; side++) {
        int thigh = side ? THIGH_L : THIGH_R, shank = thigh + 1, foot = thigh + 2;
        double fx = force[foot][FORWARD], fz = force[foot][UP], ankle = moment[foot];
        for (int point = 0; point < POINTS; point++) {
            const double *ground = estimate->contact_force[side][point];
            const double *arm = motion->contact_offset[side][point];
            fx -= ground[FORWARD];
            fz -= ground[UP];
            ankle -= arm[FORWARD] * ground[UP] - arm[UP] * ground[FORWARD];
        }
        double x = motion->position[foot][FORWARD] - motion->position[shank][FORWARD];
        double z = motion->position[foot][UP] - motion->position[shank][UP];
        double knee = ankle + moment[shank] + x * fz - z * fx;
        fx += force[shank][FORWARD];
        fz += force[shank][UP];
        x = motion->position[shank][FORWARD] - motion->position[thigh][FORWARD];
        z = motion->position[shank][UP] - motion->position[thigh][UP];
        double hip = knee + moment[thigh] + x * fz - z * fx;
        root[0] += fx + force[thigh][FORWARD];
        root[1] += fz + force[thigh][UP];
        root[2] += hip;
        double *effort = estimate->effort + 3 * side;
        effort[0] = hip;
        effort[1] = -knee;
        effort[2] = ankle;
    }
}

/* estimator._centre_of_pressure and _sole_wrench */
static void sum_up_ground(
    const struct wearer *wearer, const struct motion *motion, struct estimate *estimate)
{
    double weight = wearer->mass_kg * GRAVITY;
    double ankle_height = -wearer->contact_point[0][UP];
    for (int side = 0; side < SIDES; side++) {
        int foot = side ? FOOT_L : FOOT_R;
        double c = motion->cos[foot], n = motion->sin[foot];
        double sole[2] = {ankle_height * n, -ankle_height * c};
        double total[2] = {0.0, 0.0}, about_hips = 0.0, about_sole = 0.0;
        for (int point = 0; point < POINTS; point++) {
            const double *force = estimate->contact_force[side][point];
            const double *arm = motion->contact_offset[side][point];
            total[FORWARD] += force[FORWARD];
            total[UP] += force[UP];
            about_hips += (motion->position[foot][FORWARD] + arm[FORWARD]) * force[UP];
            about_sole += (arm[FORWARD] - sole[FORWARD]) * force[UP]
                - (arm[UP] - sole[UP]) * force[FORWARD];
        }
        estimate->ground_force[side][FORWARD] = total[FORWARD];
        estimate->ground_force[side][UP] = total[UP];
        estimate->cop_forward[side] =
            total[UP] > LOADED_SHARE * weight ? about_hips / total[UP] : (double)NAN;
        estimate->sole_wrench[side][0] = c * total[FORWARD] + n * total[UP];
        estimate->sole_wrench[side][1] = c * total[UP] - n * total[FORWARD];
        estimate->sole_wrench[side][2] = -about_sole;
    }
}

/* virtual_imu.virtual_imu, and what is left of the measurements */
static void compare_sensors(
    const struct wearer *wearer, const struct motion *motion, const struct frame *frame,
    const struct signals *signals, struct estimate *estimate)
{
    for (int s = 0; s < SENSORS; s++) {
        double forward = motion->acceleration[s][FORWARD];
        double up = motion->acceleration[s][UP] + GRAVITY;
        double alpha = motion->alpha[s], square = motion->rate[s] * motion->rate[s];
        double c = motion->cos[s], n = motion->sin[s];
        const double *place = wearer->sensor_position[s];
        double *virtual_imu = estimate->virtual_imu[s];
        virtual_imu[0] = c * forward + n * up - alpha * place[UP] - square * place[FORWARD];
        virtual_imu[1] = -n * forward + c * up + alpha * place[FORWARD] - square * place[UP];
        virtual_imu[2] = motion->rate[s];
        for (int channel = 0; channel < 3; channel++)
            estimate->residual[s][channel] = frame->there[s] != 0.0
                ? signals->measured[s][channel] - virtual_imu[channel]
                : (double)NAN;
    }
}

/* uncertainty.follow_residual */
static void follow_residual(
    double period, const struct frame *frame, const struct estimate *estimate,
    struct state *state)
{
    double part = fmin(1.0, period / RESIDUAL_MEMORY_S);
    for (int s = 0; s < SENSORS; s++) {
        if (frame->present[s] == 0.0)
            continue;
        const double *residual = estimate->residual[s];
        double square[2] = {
            (residual[0] * residual[0] + residual[1] * residual[1]) / (FORCE_SCALE * FORCE_SCALE),
            residual[2] * residual[2] / (RATE_SCALE * RATE_SCALE),
        };
        for (int kind = 0; kind < 2; kind++) {
            double *mean = &state->residual_square[s][kind];
            *mean = isnan(*mean) ? square[kind] : *mean + part * (square[kind] - *mean);
        }
    }
}

/*
 * uncertainty.UncertaintyHead: `head` holds for each quantity the weights of the recurrent
 * units, of who is present and of the residuals, then biases, then scales; NULL for models
 * without.
 */
static void tell_uncertainty(
    int hidden, const double *head, const float *recurrent, const struct frame *frame,
    const struct state *state, struct estimate *estimate)
{
    if (head == NULL) {
        for (int row = 0; row < QUANTITIES; row++)
            estimate->sigma[row] = (double)NAN;
        return;
    }
    double size[2 * SENSORS];
    for (int s = 0; s < SENSORS; s++) {
        for (int kind = 0; kind < 2; kind++) {
            double square = between(state->residual_square[s][kind], LEAST_SQUARE, LARGEST_SQUARE);
            size[2 * s + kind] = frame->present[s] != 0.0 ? 0.5 * log(square) : 0.0;
        }
    }
    int columns = hidden + 3 * SENSORS;
    const double *bias = head + QUANTITIES * columns, *scale = bias + QUANTITIES;
    for (int row = 0; row < QUANTITIES; row++) {
        const double *weight = head + row * columns;
        double sum = bias[row];
        for (int unit = 0; unit < hidden; unit++)
            sum += weight[unit] * (double)recurrent[unit];
        weight += hidden;
        for (int s = 0; s < SENSORS; s++)
            sum += weight[s] * frame->present[s];
        weight += SENSORS;
        for (int each = 0; each < 2 * SENSORS; each++)
            sum += weight[each] * size[each];
        estimate->sigma[row] = exp(sum) * scale[row];
    }
}

/* How many floats `room` of sspinnpose_step must hold. */
int sspinnpose_room(int hidden)
{
    return 2 * INPUTS + 2 * hidden + padded(4 * hidden) + padded(hidden) + 2 * padded(OUTPUTS);
}

/*
 * estimator.Estimator.step. The state and the recurrent state (2, 2, hidden) are replaced by the
 * following ones.
 */
void sspinnpose_step(
    const struct wearer *wearer, int hidden, const float *weights, const double *head,
    const struct frame *frame, struct state *state, float *recurrent, float *room,
    struct estimate *estimate)
{
    struct signals signals;
    struct body_state body;
    struct motion motion;
    float *inputs = room;

    turn_to_sagittal(wearer, frame, &signals);
    follow_inclination(wearer->period_s, frame, state, &signals);
    arrange_inputs(wearer, frame, &signals, inputs);
    run_network(hidden, weights, inputs, recurrent, room + INPUTS, estimate->output);
    decode(wearer, frame, &signals, estimate, &body);
    move_segments(wearer, &body, estimate, &motion);
    place_contact_points(wearer, &motion);
    find_moments(wearer, &motion, body.lean, estimate);
    sum_up_ground(wearer, &motion, estimate);
    compare_sensors(wearer, &motion, frame, &signals, estimate);
    follow_residual(wearer->period_s, frame, estimate, state);
    tell_uncertainty(hidden, head, recurrent + 2 * hidden, frame, state, estimate);

    double speed = estimate->qd[0];
    double last = isnan(state->last_speed) ? speed : state->last_speed;
    state->pelvis_forward += 0.5 * (speed + last) * wearer->period_s;
    state->last_speed = speed;
    estimate->q[0] = state->pelvis_forward;
}
