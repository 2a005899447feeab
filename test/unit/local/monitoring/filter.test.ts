import { expect, test } from 'vitest';
import { parseSeriesFilter } from '../../../../local/monitoring/filter.ts';
import type { SeriesId } from '../../../../local/monitoring/time-series.ts';

const TYPE = 'metric.type = "run.googleapis.com/request_count"';

const series: SeriesId = {
  metric: {
    type: 'run.googleapis.com/request_count',
    labels: { response_code_class: '5xx', response_code: '503' },
  },
  resource: {
    type: 'cloud_run_revision',
    labels: { project_id: 'acme', service_name: 'hello', revision_name: 'hello-1', location: 'us-east4' },
  },
};

test.each([
  ['resource.type="cloud_run_revision"', true],
  ['resource.label."service_name"="hello"', true],
  ['resource.labels.service_name = "other"', false],
  ['resource.labels.missing != "x"', true],
  ['metric.labels.response_code = 503', true],
  ['metric.labels.response_code_class != "5xx"', false],
  ['project = "acme"', true],
  ['resource.labels.revision_name = one_of("hello-1", "hello-2")', true],
  ['resource.labels.revision_name != one_of("hello-1", "hello-2")', false],
  ['resource.labels.revision_name = starts_with("hello-")', true],
  ['resource.labels.revision_name = ends_with("-2")', false],
  ['resource.labels.revision_name = has_substring("lo")', true],
  ['resource.labels.revision_name = monitoring.regex.full_match("hello-[0-9]+")', true],
  ['resource.labels.revision_name = monitoring.regex.full_match("hello")', false],
  ['NOT project = "acme"', false],
  ['(project = "acme" OR project = "other")', true],
  ['(resource.labels.location = "nowhere" OR project = "other")', false],
])('%s matches: %s', (condition, expected) => {
  expect(parseSeriesFilter(`${TYPE} ${condition}`).matches(series)).toBe(expected);
  expect(parseSeriesFilter(`${TYPE} AND ${condition}`).matches(series)).toBe(expected);
});

test('tells the metric type', () => {
  expect(parseSeriesFilter(TYPE).metricType).toBe('run.googleapis.com/request_count');
});

test.each([
  ['', 'expected "metric", "resource" or "project"'],
  ['project = "acme"', 'exactly one metric type'],
  [`${TYPE} OR metric.type = "run.googleapis.com/request_latencies"`, 'exactly one metric type'],
  ['metric.type = starts_with("run.")', 'exactly one metric type'],
  [`${TYPE} AND project = "a" OR project = "b"`, 'expected parentheses between AND and OR'],
  [`${TYPE} AND resource.labels.location > "a"`, 'expected "="'],
  [`${TYPE} AND resource.labels.location = in_zone("a")`, 'Unknown function in_zone'],
  [`${TYPE} AND resource.labels.location = starts_with("a", "b")`, 'expected one argument of starts_with'],
  [`${TYPE} AND resource.labels.location = monitoring.regex.full_match("(")`, 'Invalid regular expression'],
  [`${TYPE} AND group.id = "x"`, 'expected "metric", "resource" or "project"'],
  [`${TYPE} AND resource.zone = "x"`, 'expected "type" or "labels"'],
])('%s is refused: %s', (filter, message) => {
  expect(() => parseSeriesFilter(filter)).toThrow(message);
});
