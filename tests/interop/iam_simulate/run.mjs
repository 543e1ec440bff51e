// Asks @cloud-copilot/iam-simulate what a list of scenarios answers. Reads JSON from standard input, writes JSON.
//
//   node run.mjs FOLDER < questions.json       FOLDER: where `npm install @cloud-copilot/iam-simulate` was run
//
// In:  {"scenarios": [SCENARIO, ...], "repeat": N}     (a scenario is the document of kms_lab.policy.scenario)
// Out: {"version": "...", "answers": [{"result", "ignored", "error"}, ...]}, or, where "repeat" is given,
//      {"version": "...", "speed": {NAME: QUESTIONS_A_SECOND, ...}, "result": "..."}
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const folder = resolve(process.argv[2])
const require = createRequire(`${folder}/package.json`)
const { anonymousPrincipal, runSimulation } = require('@cloud-copilot/iam-simulate')
const installed = `${folder}/node_modules/@cloud-copilot/iam-simulate/package.json`
const { version } = JSON.parse(readFileSync(installed, 'utf8'))

const named = (policies, what) => policies.map((policy, index) => ({ name: `${what} ${index + 1}`, policy }))
const levels = (lists, what) =>
  (lists ?? []).map((list, level) => ({
    orgIdentifier: `${what} level ${level + 1}`,
    policies: named(list, `${what} ${level + 1}.`)
  }))

// The condition context: a scenario leaves the encryption context to be written as condition keys.
function context(request) {
  const values = { ...request.context }
  const pairs = Object.entries(request.encryption_context ?? {})
  for (const [key, value] of pairs) values[`kms:EncryptionContext:${key}`] ??= value
  if (pairs.length > 0) values['kms:EncryptionContextKeys'] ??= pairs.map(([key]) => key)
  return values
}

function simulation(scenario) {
  const { request } = scenario
  const { principal } = request
  return {
    request: {
      principal: principal.type === 'anonymous' ? anonymousPrincipal : principal.arn,
      action: request.action,
      resource: { resource: request.resource, accountId: request.resource_account || principal.account },
      contextVariables: context(request)
    },
    identityPolicies: named(scenario.identity_policies ?? [], 'identity policy'),
    serviceControlPolicies: levels(scenario.scps, 'SCP'),
    resourceControlPolicies: levels(scenario.rcps, 'RCP'),
    ...(scenario.key_policy && { resourcePolicy: scenario.key_policy }),
    ...(scenario.session_policy && { sessionPolicy: scenario.session_policy }),
    ...(scenario.permissions_boundary && {
      permissionBoundaryPolicies: named([scenario.permissions_boundary], 'boundary')
    }),
    ...(scenario.vpce_policy && { vpcEndpointPolicies: named([scenario.vpce_policy], 'endpoint policy') })
  }
}

// Each check of an operation that needs several; what a further check does not say is the main check's.
function checks(scenario) {
  const further = (scenario.also ?? []).map((check) => ({
    ...scenario,
    key_policy: check.key_policy ?? null,
    ...(check.identity_policies && { identity_policies: check.identity_policies }),
    ...(check.rcps && { rcps: check.rcps }),
    request: { ...scenario.request, ...check }
  }))
  return [scenario, ...further]
}

async function answer(scenario) {
  const ignored = new Set()
  let result = 'Allowed'
  for (const check of checks(scenario)) {
    const response = await runSimulation(simulation(check), {})
    if (response.resultType === 'error') return { result: null, ignored: [], error: problem(response.errors) }
    for (const one of response.results ?? [response.result]) one.ignoredContextKeys?.forEach((key) => ignored.add(key))
    if (result === 'Allowed') result = response.overallResult
  }
  return { result, ignored: [...ignored], error: null }
}

// The first message that a refusal of the input carries, however deep.
function problem({ message, ...details }) {
  const found = Object.values(details).map(deepest).find(Boolean)
  return found ? `${message}: ${found}` : message
}

function deepest(value) {
  if (typeof value !== 'object' || value === null) return null
  return value.message ?? Object.values(value).map(deepest).find(Boolean) ?? null
}

async function rate(run, repeat) {
  for (let i = 0; i < repeat / 5; i++) await run()
  const start = performance.now()
  for (let i = 0; i < repeat; i++) await run()
  return (repeat * 1000) / (performance.now() - start)
}

// The same question with policies that are validated once, before: the counterpart of our compiled policies.
function prepared(asked) {
  const policies = require('@cloud-copilot/iam-policy')
  const { createValidatedPolicy, validateIdentityPolicy, validateResourcePolicy } = policies
  return {
    ...asked,
    resourcePolicy: createValidatedPolicy(asked.resourcePolicy, validateResourcePolicy, { name: 'key policy' }),
    identityPolicies: asked.identityPolicies.map(({ name, policy }) => ({
      name,
      policy: createValidatedPolicy(policy, validateIdentityPolicy, { name })
    }))
  }
}

const { scenarios, repeat } = JSON.parse(readFileSync(0, 'utf8'))
if (repeat) {
  const asked = simulation(scenarios[0])
  const validated = prepared(asked)
  const speed = {
    'from the documents': await rate(() => runSimulation(asked, {}), repeat),
    'policies validated before': await rate(() => runSimulation(validated, {}), repeat)
  }
  console.log(JSON.stringify({ version, speed, result: (await answer(scenarios[0])).result }))
} else {
  const answers = []
  for (const scenario of scenarios) {
    try {
      answers.push(await answer(scenario))
    } catch (error) {
      answers.push({ result: null, ignored: [], error: `threw: ${error.message}` })
    }
  }
  console.log(JSON.stringify({ version, answers }))
}
