-- The highest qualification of people in employment, over all four nations
SELECT q.qualification_name AS qualification, people
FROM (
  SELECT qualification AS code, count(*) AS people
  FROM people
  WHERE period = 2025 AND economic_activity = 'In employment'
  GROUP BY qualification
)
JOIN qualification q ON q.qualification = code
ORDER BY people DESC
